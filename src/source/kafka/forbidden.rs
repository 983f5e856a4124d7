//! Topics that this client may not read any more.
//!
//! When the right to read is taken away, the client library says so once and is silent then: it asks
//! for the topic again and again, and goes on by itself when it may. Meanwhile nothing tells a topic
//! that is forbidden from one that is empty, so another client asks every few seconds: whether it may
//! see the topic at all, and if so, whether it may read, be it that there is nothing more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::Offset;

use super::start;
use super::unreadable::ScoutOptions;
use crate::kafka::ConsumerCallbacks;
use crate::source::Partition;

/// How long after the last answers the suspects are asked for again.
const ASK_EVERY: Duration = Duration::from_secs(3);

/// How long the cluster may take to say what it knows of a topic.
const METADATA_WAIT: Duration = Duration::from_secs(5);

/// How long a topic that may be seen is read at its end, in steps: what may be read answers within
/// about one second and a half.
const READ_STEP: Duration = Duration::from_millis(100);
const READ_STEPS: usize = 50;

/// What is known of such topics.
pub(super) struct Forbidden {
    options: ScoutOptions,
    /// Topics of which it is to be found out.
    suspects: BTreeSet<Arc<str>>,
    /// Those of them that may not be read.
    found: BTreeSet<Arc<str>>,
    /// Where the answers come from, while somebody is asking.
    answers: Option<Receiver<Answers>>,
    /// Heard of since then: an answer may be older than that.
    heard: BTreeSet<Arc<str>>,
    ask_at: Duration,
}

type Answers = Vec<(Arc<str>, Answer)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Whatever else there may be with the topic.
    Allowed,
    Forbidden,
    Unknown,
}

impl Forbidden {
    pub(super) const fn new(options: ScoutOptions) -> Self {
        Self {
            options,
            suspects: BTreeSet::new(),
            found: BTreeSet::new(),
            answers: None,
            heard: BTreeSet::new(),
            ask_at: Duration::ZERO,
        }
    }

    /// The library said that some topic may not be read: it may be this one.
    pub(super) fn hear(&mut self, topic: &str) {
        if self.answers.is_some() {
            self.heard.insert(topic.into());
        } else if self.suspects.insert(topic.into()) {
            self.ask_at = Duration::ZERO;
        }
    }

    /// How many topics may not be read now.
    pub(super) fn topics(&self) -> usize {
        self.found.len()
    }

    /// Whether there is anything to do at `now`.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        !self.suspects.is_empty() && (self.answers.is_some() || now >= self.ask_at)
    }

    /// Takes the answers, or sends somebody to ask. What is not among the topics to be `read` is no
    /// suspect any more; but one that was found is not forgotten for that: where topics are chosen by
    /// an expression, one that may not be seen is given back like one that is gone.
    pub(super) fn look(&mut self, read: impl Iterator<Item = Partition>, now: Duration) {
        if let Some(answers) = &self.answers {
            match answers.try_recv() {
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {}
                Ok(answers) => answers.into_iter().for_each(|(topic, answer)| {
                    self.learn(topic, answer);
                }),
            }
            self.answers = None;
            self.ask_at = now + if self.heard.is_empty() { ASK_EVERY } else { Duration::ZERO };
            self.suspects.append(&mut self.heard);
        }
        let mut asked: Vec<Partition> = Vec::new();
        for partition in read {
            let is_known = asked.iter().any(|known| known.topic == partition.topic);
            if !is_known && self.suspects.contains(&partition.topic) {
                asked.push(partition);
            }
        }
        for topic in &self.found {
            if !asked.iter().any(|known| known.topic == *topic) {
                asked.push(Partition { topic: Arc::clone(topic), partition: 0 });
            }
        }
        self.suspects.retain(|topic| asked.iter().any(|one| one.topic == *topic));
        if now >= self.ask_at && !asked.is_empty() {
            self.ask(asked, now);
        }
    }

    /// Somebody asks for these; it takes some seconds.
    fn ask(&mut self, asked: Vec<Partition>, now: Duration) {
        let (sender, receiver) = sync_channel(1);
        let options = self.options.clone();
        let asking = move || drop(sender.send(find_out(&options, &asked)));
        match std::thread::Builder::new().name("ouzel-scout".to_owned()).spawn(asking) {
            Ok(_) => self.answers = Some(receiver),
            Err(fault) => {
                tracing::warn!(%fault, "it cannot be found out whether a topic may be read");
                self.ask_at = now + ASK_EVERY;
            }
        }
    }

    fn learn(&mut self, topic: Arc<str>, answer: Answer) {
        match answer {
            // What was known stands.
            Answer::Unknown => {}
            Answer::Forbidden => {
                if self.found.insert(Arc::clone(&topic)) {
                    tracing::error!(
                        topic = &*topic,
                        "the topic may not be read any more: give this user the right to READ it. \
                         It is waited for, and only what the topic deletes meanwhile is lost"
                    );
                }
            }
            Answer::Allowed => {
                self.suspects.remove(&topic);
                if self.found.remove(&topic) {
                    tracing::info!(topic = &*topic, "the topic may be read again");
                }
            }
        }
    }
}

/// Asks the cluster whether these may be read: one of each topic.
fn find_out(options: &ScoutOptions, asked: &[Partition]) -> Answers {
    let consumer = open(options);
    if let Err(fault) = &consumer {
        tracing::warn!(%fault, "it cannot be found out whether a topic may be read");
    }
    let answer = |partition: &Partition| {
        let consumer = consumer.as_ref().ok();
        let answer = consumer.and_then(|consumer| may_be_read(consumer, partition).ok());
        (Arc::clone(&partition.topic), answer.unwrap_or(Answer::Unknown))
    };
    asked.iter().map(answer).collect()
}

fn open(options: &ScoutOptions) -> KafkaResult<BaseConsumer<ConsumerCallbacks>> {
    let name = format!("{}'s scout", options.name);
    let callbacks = ConsumerCallbacks::new(&name, &options.cluster);
    callbacks.close();
    let mut config = options.config.clone();
    config.remove("group.instance.id");
    config.set("queued.max.messages.kbytes", "1");
    config.set("enable.partition.eof", "true");
    let consumer: BaseConsumer<ConsumerCallbacks> = config.create_with_context(callbacks)?;
    // A token is asked for in a callback.
    drop(consumer.poll(READ_STEP));
    Ok(consumer)
}

/// A right that is granted for reading includes that of seeing, so the topic is not even seen where
/// nothing else grants that; otherwise its end is read.
fn may_be_read(
    consumer: &BaseConsumer<ConsumerCallbacks>,
    partition: &Partition,
) -> KafkaResult<Answer> {
    let known = consumer.fetch_metadata(Some(&partition.topic), METADATA_WAIT)?;
    let fault = known.topics().first().and_then(|topic| topic.error()).map(Code::from);
    match fault {
        None => {}
        Some(Code::TopicAuthorizationFailed) => return Ok(Answer::Forbidden),
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => return Ok(Answer::Allowed),
        Some(_) => return Ok(Answer::Unknown),
    }
    consumer.assign(&start::list(std::slice::from_ref(partition), Offset::End)?)?;
    let mut answers = (0..READ_STEPS).filter_map(|_| match consumer.poll(READ_STEP)? {
        Ok(_) | Err(KafkaError::PartitionEOF(_)) => Some(Answer::Allowed),
        Err(KafkaError::MessageConsumption(Code::TopicAuthorizationFailed)) => {
            Some(Answer::Forbidden)
        }
        Err(_) => None,
    });
    let answer = answers.next().unwrap_or(Answer::Unknown);
    consumer.unassign()?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;

    use super::*;
    use crate::config::settings::ClusterSettings;

    fn of(topic: &str) -> Partition {
        Partition { topic: topic.into(), partition: 0 }
    }

    fn after(answers: &[(&str, Answer)]) -> Forbidden {
        let mut forbidden = Forbidden::new(ScoutOptions {
            name: String::new(),
            config: ClientConfig::new(),
            cluster: ClusterSettings::default(),
        });
        assert!(!forbidden.is_due(Duration::ZERO));
        ["a", "b"].iter().for_each(|topic| forbidden.hear(topic));
        assert!(forbidden.is_due(Duration::ZERO) && forbidden.topics() == 0);
        forbidden.ask_at = Duration::MAX;
        answers.iter().for_each(|(topic, answer)| forbidden.learn((*topic).into(), *answer));
        forbidden
    }

    #[test]
    fn a_topic_is_forbidden_from_one_answer_to_another() {
        use Answer::{Allowed, Forbidden, Unknown};
        let check = |answers: &[(&str, Answer)], expected: (usize, usize)| {
            let forbidden = after(answers);
            let found = (forbidden.topics(), forbidden.suspects.len());
            assert_eq!(found, expected, "forbidden, suspects: {answers:?}");
        };
        check(&[], (0, 2));
        check(&[("a", Unknown), ("b", Unknown)], (0, 2));
        check(&[("a", Forbidden), ("a", Forbidden), ("b", Allowed)], (1, 1));
        check(&[("a", Forbidden), ("b", Forbidden)], (2, 2));
        check(&[("a", Forbidden), ("a", Unknown)], (1, 2));
        check(&[("a", Forbidden), ("a", Allowed), ("b", Allowed)], (0, 0));
    }

    #[test]
    fn an_answer_that_may_be_older_than_what_was_heard_decides_nothing() {
        let mut forbidden = after(&[("b", Answer::Allowed)]);
        let (sender, receiver) = sync_channel(1);
        forbidden.answers = Some(receiver);
        forbidden.hear("a");
        sender.send(vec![("a".into(), Answer::Allowed)]).expect("there is room for one");
        forbidden.look([of("a")].into_iter(), Duration::ZERO);
        assert!(forbidden.suspects.contains("a") && forbidden.answers.is_some(), "asked again");
        let mut forbidden = after(&[("b", Answer::Allowed)]);
        let (sender, receiver) = sync_channel(1);
        forbidden.answers = Some(receiver);
        sender.send(vec![("a".into(), Answer::Allowed)]).expect("there is room for one");
        forbidden.look([of("a")].into_iter(), Duration::ZERO);
        assert!(forbidden.suspects.is_empty() && forbidden.ask_at == ASK_EVERY);
    }

    #[test]
    fn what_is_not_to_be_read_any_more_is_no_suspect_unless_it_was_found() {
        let mut forbidden = after(&[("a", Answer::Forbidden)]);
        forbidden.look([of("b"), of("c")].into_iter(), Duration::ZERO);
        assert_eq!((forbidden.topics(), forbidden.suspects.len()), (1, 2));
        forbidden.look([of("c")].into_iter(), Duration::ZERO);
        assert_eq!((forbidden.topics(), forbidden.suspects.len()), (1, 1));
        forbidden.learn("a".into(), Answer::Allowed);
        forbidden.look([of("c")].into_iter(), Duration::ZERO);
        assert!(forbidden.topics() == 0 && !forbidden.is_due(Duration::MAX));
    }
}
