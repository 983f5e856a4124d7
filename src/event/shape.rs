//! The shapes in which Okta events arrive, by name.

/// How an event was wrapped when it arrived (docs/RULES.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// A System Log event as Okta's API returns it.
    Raw,
    /// An Elastic Agent document: the event as a JSON string in `message`.
    Agent,
    /// A Filebeat module document: the event under `json` or in `event.original`.
    Filebeat,
    /// A document that is already ECS.
    Ecs,
    /// Vector's `okta` source.
    Vector,
    /// A generic wrapper with the event as a JSON string (`message`, `log`, `event.original`).
    Wrapped,
    /// An Okta event hook delivery.
    EventHook,
    /// Okta log streaming through Amazon EventBridge.
    EventBridge,
    /// A Splunk HTTP Event Collector object.
    SplunkHec,
    /// A CloudEvents 1.0 envelope.
    CloudEvents,
    /// Any other JSON object, judged as it stands.
    Other,
}

impl Shape {
    /// Every shape, in the order of the documents.
    pub const ALL: [Self; 11] = [
        Self::Raw,
        Self::Agent,
        Self::Filebeat,
        Self::Ecs,
        Self::Vector,
        Self::Wrapped,
        Self::EventHook,
        Self::EventBridge,
        Self::SplunkHec,
        Self::CloudEvents,
        Self::Other,
    ];

    /// The shape's name in metrics, logs and documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Agent => "agent",
            Self::Filebeat => "filebeat",
            Self::Ecs => "ecs",
            Self::Vector => "vector",
            Self::Wrapped => "wrapped",
            Self::EventHook => "event_hook",
            Self::EventBridge => "eventbridge",
            Self::SplunkHec => "splunk_hec",
            Self::CloudEvents => "cloudevents",
            Self::Other => "other",
        }
    }
}
