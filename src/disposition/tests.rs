//! Fixtures that the tests of dispositions and alerts share, and the tests of whole decisions.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{AlertId, Decision, Disposition, Dispositions, Draft, HitContext};
use crate::event::{Arena, Event, Member, Shape, Value};
use crate::record::{NoHeaders, Position, Record, Timestamp};
use crate::rule::{Found, RuleIndex, RuleSet, RuleText, load};

/// A rule set of one rule: the usual head and these lines of TOML.
pub(crate) fn rules(lines: &str) -> Arc<RuleSet> {
    let text = format!(
        "[rule]\nrule_id = \"r-1\"\nname = \"A rule\"\ntype = \"query\"\ndescription = \"d\"\n\
         severity = \"low\"\nrisk_score = 21\nquery = \"a:1\"\n{lines}"
    );
    let text = RuleText { origin: "r.toml".to_owned(), text, found: Found::Named };
    Arc::new(load(&[text], &BTreeMap::new()).expect("the rule is valid"))
}

/// The event that `json` says, in the arena.
pub(crate) fn event<'s>(arena: &'s Arena, json: &serde_json::Value) -> Event<'s> {
    Event {
        fields: members(arena, json),
        shape: Shape::Other,
        index: 0,
        okta_uuid: None,
        time: json.get("@timestamp").and_then(|time| time.as_str()).map(time),
        original: None,
    }
}

fn members<'s>(arena: &'s Arena, json: &serde_json::Value) -> &'s [Member<'s>] {
    let object = json.as_object().expect("an object");
    arena.alloc_slice_fill_iter(
        object
            .iter()
            .map(|(name, json)| Member { name: arena.alloc_str(name), value: value(arena, json) }),
    )
}

fn value<'s>(arena: &'s Arena, json: &serde_json::Value) -> Value<'s> {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => Value::Bool(*truth),
        serde_json::Value::Number(number) => number
            .as_i64()
            .map(Value::Int)
            .or_else(|| number.as_u64().map(Value::Uint))
            .unwrap_or_else(|| Value::Float(number.as_f64().expect("a number"))),
        serde_json::Value::String(text) => Value::Text(arena.alloc_str(text)),
        serde_json::Value::Array(items) => {
            let items: Vec<Value<'s>> = items.iter().map(|item| value(arena, item)).collect();
            Value::Array(arena.alloc_slice_copy(&items))
        }
        serde_json::Value::Object(_) => Value::Object(members(arena, json)),
    }
}

/// The instant that RFC 3339 text names.
pub(crate) fn time(text: &str) -> Timestamp {
    let time: jiff::Timestamp = text.parse().expect("an instant");
    Timestamp::from_millis(time.as_millisecond())
}

/// A record at offset 7 of `okta`, partition 2, with this payload.
pub(crate) fn record(payload: &[u8]) -> Record<'_> {
    Record {
        payload: Some(payload),
        key: Some(b"k"),
        headers: &NoHeaders,
        position: Position { topic: "okta", partition: 2, offset: 7 },
        timestamp: Some(Timestamp::from_millis(1_000)),
        received: Timestamp::from_millis(1_500),
    }
}

/// One hit: the number of its id, its user, its wall-clock second.
type Hit = (u8, &'static str, i64);

/// Decides about hits one after the other; every published one is delivered at once.
struct Play {
    state: Dispositions,
}

impl Play {
    fn new(lines: &str) -> Self {
        Self { state: Dispositions::new(rules(lines), 100) }
    }

    /// Decides, and keeps a draft where a group was opened; delivers nothing.
    fn decide(&mut self, (number, user, second): Hit) -> Decision {
        let arena = Arena::new();
        let json = match user {
            "" => serde_json::json!({}),
            user => serde_json::json!({"user": {"name": user}}),
        };
        let event = event(&arena, &json);
        let at = Timestamp::from_millis(second * 1000);
        let record = Record { timestamp: Some(at), ..record(b"{}") };
        let id = AlertId([number; 32]);
        let hit = HitContext { id, rule: RuleIndex(0), event: &event, record: &record, judged: at };
        let decision = self.state.decide(&hit);
        if let Some(group) = &decision.group {
            self.state.keep(group.key, Draft { value: vec![number], ..Draft::default() });
        }
        decision
    }

    /// Decides and delivers.
    fn hit(&mut self, hit: Hit) -> Disposition {
        let decision = self.decide(hit);
        if matches!(decision.disposition, Disposition::Published | Disposition::OverLimit) {
            self.state.delivered(AlertId([hit.0; 32]));
        }
        decision.disposition
    }

    /// What closes by this second: id, count, first and last second of the events.
    fn due(&mut self, second: i64) -> Vec<(u8, u64, i64, i64)> {
        let closed = self.state.due(Timestamp::from_millis(second * 1000));
        let seconds = |time: Timestamp| time.as_millis() / 1000;
        closed
            .iter()
            .map(|group| {
                (group.draft.value[0], group.count, seconds(group.start), seconds(group.end))
            })
            .collect()
    }
}

const BY_USER: &str =
    "[rule.alert_suppression]\ngroup_by = [\"user.name\"]\nduration = {value = 1, unit = \"m\"}\n";

/// The hits get these dispositions.
fn check(lines: &str, hits: &[(Hit, Disposition)]) {
    let mut play = Play::new(lines);
    for (hit, expected) in hits {
        assert_eq!(play.hit(*hit), *expected, "{hit:?} under {lines:?}");
    }
}

#[test]
fn an_id_repeats_only_once_it_was_delivered() {
    use Disposition::{Published, Repeated};
    check("", &[((1, "a", 0), Published), ((1, "a", 1), Repeated), ((2, "a", 1), Published)]);
    let mut play = Play::new("");
    assert_eq!(play.decide((1, "a", 0)).disposition, Published);
    assert_eq!(play.decide((1, "a", 0)).disposition, Published);
}

#[test]
fn past_the_limit_alerts_are_marked_and_one_notice_is_due_per_window() {
    let mut play = Play::new("max_signals = 2\ninterval = \"1m\"\n");
    let mut notices = Vec::new();
    for second in [0, 10, 20, 30, 59, 60, 61, 62, 63] {
        let decision = play.decide((u8::try_from(second).expect("small"), "a", second));
        let is_over = decision.disposition == Disposition::OverLimit;
        assert_eq!(is_over, matches!(second, 20 | 30 | 59 | 62 | 63), "{second}");
        notices.extend(decision.notice.map(|notice| {
            (notice.window_start.as_millis(), notice.window_end.as_millis(), notice.limit)
        }));
    }
    assert_eq!(notices, [(0, 60_000, 2), (60_000, 120_000, 2)]);
}

#[test]
fn the_first_hit_of_a_group_is_published_and_further_ones_are_counted() {
    use Disposition::{Published, Repeated, Suppressed};
    let mut play = Play::new(BY_USER);
    assert_eq!(play.hit((1, "a", 0)), Published);
    assert_eq!(play.hit((2, "b", 1)), Published);
    assert_eq!(play.hit((3, "a", 30)), Suppressed);
    assert_eq!(play.hit((3, "a", 31)), Repeated);
    assert_eq!(play.hit((1, "a", 32)), Repeated);
    assert_eq!(play.hit((4, "a", 59)), Suppressed);
    assert_eq!(play.state.open_groups(), 2);
    assert_eq!(play.due(59), []);
    assert_eq!(play.due(60), [(1, 2, 0, 59)]);
    assert_eq!(play.due(61), [], "nothing was suppressed for b");
    assert_eq!(play.state.open_groups(), 0);
    assert_eq!(play.hit((3, "a", 70)), Repeated, "counted before, also when its group is gone");
    assert_eq!(play.hit((5, "a", 70)), Published);
}

#[test]
fn a_window_is_exact_even_when_nobody_asked_in_between() {
    use Disposition::{Published, Suppressed};
    let mut play = Play::new(BY_USER);
    assert_eq!(play.hit((1, "a", 0)), Published);
    assert_eq!(play.hit((2, "a", 10)), Suppressed);
    assert_eq!(play.hit((3, "a", 60)), Published);
    assert_eq!(play.hit((4, "a", 61)), Suppressed);
    assert_eq!(play.due(61), [(1, 1, 0, 10)]);
    assert_eq!(play.due(120), [(3, 1, 60, 61)]);
}

#[test]
fn a_first_hit_that_was_not_delivered_is_published_again() {
    let mut play = Play::new(BY_USER);
    let first = play.decide((1, "a", 0));
    assert_eq!(play.hit((2, "a", 5)), Disposition::Suppressed);
    let again = play.decide((1, "a", 0));
    assert_eq!(again, first);
    assert_eq!(play.due(60), [(1, 1, 0, 5)]);
}

#[test]
fn a_missing_field_is_a_value_unless_the_rule_says_otherwise() {
    use Disposition::{Published, Suppressed};
    check(BY_USER, &[((1, "", 0), Published), ((2, "", 1), Suppressed), ((3, "a", 1), Published)]);
    let free = format!("{BY_USER}missing_fields_strategy = \"doNotSuppress\"\n");
    check(&free, &[((1, "", 0), Published), ((2, "", 1), Published), ((3, "a", 1), Published)]);
    check(&free, &[((1, "a", 0), Published), ((2, "a", 1), Suppressed)]);
}

#[test]
fn events_out_of_order_widen_the_span_of_a_group() {
    let mut play = Play::new(BY_USER);
    assert_eq!(play.hit((1, "a", 100)), Disposition::Published);
    assert_eq!(play.hit((2, "a", 90)), Disposition::Suppressed);
    assert_eq!(play.hit((3, "a", 110)), Disposition::Suppressed);
    assert_eq!(play.due(160), [(1, 2, 90, 110)]);
}

#[test]
fn groups_are_bounded_and_the_oldest_closes_first() {
    let mut play = Play::new(BY_USER);
    assert_eq!(play.hit((1, "first", 0)), Disposition::Published);
    assert_eq!(play.hit((2, "first", 0)), Disposition::Suppressed);
    let names: Vec<String> =
        (0..crate::limits::SUPPRESSION_GROUPS_MAX).map(|number| number.to_string()).collect();
    for name in names {
        play.decide((3, name.leak(), 1));
    }
    assert_eq!(play.state.open_groups(), crate::limits::SUPPRESSION_GROUPS_MAX);
    assert_eq!(play.due(1), [(1, 1, 0, 0)]);
}

#[test]
fn bytes_of_drafts_are_bounded() {
    let mut play = Play::new(BY_USER);
    let half =
        Draft { value: vec![0; crate::limits::SUPPRESSION_BYTES_MAX / 2], ..Draft::default() };
    for (number, user) in [(1, "a"), (2, "b"), (3, "c")] {
        let group = play.decide((number, user, 0)).group.expect("a group");
        play.state.keep(group.key, half.clone());
    }
    assert_eq!(play.state.open_groups(), 1);
}

#[test]
fn shutdown_closes_every_group() {
    let mut play = Play::new(BY_USER);
    for hit in [(1, "a", 0), (2, "a", 0), (3, "b", 0), (4, "b", 0), (5, "c", 0)] {
        play.hit(hit);
    }
    let ids: Vec<u8> = play.state.close_all().iter().map(|group| group.id.0[0]).collect();
    assert_eq!(ids, [1, 3]);
    assert_eq!(play.state.open_groups(), 0);
}
