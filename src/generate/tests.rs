use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::people::{Names, Setting};
use super::random::Random;
use super::template::{Layout, Template, Values};
use super::*;
use crate::record::Timestamp;

fn events(options: &Options, count: u64) -> Vec<(Generated, String)> {
    let mut generator = Generator::new(options.clone());
    let mut buffer = Vec::new();
    (0..count)
        .map(|_| {
            buffer.clear();
            let generated = generator.next_into(&mut buffer);
            (generated, String::from_utf8(buffer.clone()).expect("events are UTF-8"))
        })
        .collect()
}

fn raw_of(shape: Shape, event: &str) -> serde_json::Value {
    let outer: serde_json::Value = serde_json::from_str(event).expect("events are JSON");
    match shape {
        Shape::Agent => serde_json::from_str(outer["message"].as_str().expect("a JSON string"))
            .expect("the inner event is JSON"),
        Shape::Raw | Shape::Ecs => outer,
    }
}

#[test]
fn every_shape_is_json_with_the_id_and_the_type_that_were_promised() {
    for shape in Shape::ALL {
        let options = Options { shape, hits_permille: 100, noise_hits: true, ..Options::default() };
        for (generated, event) in events(&options, 3000) {
            let raw = raw_of(shape, &event);
            let (id, action) = match shape {
                Shape::Ecs => (&raw["event"]["id"], &raw["event"]["action"]),
                Shape::Raw | Shape::Agent => (&raw["uuid"], &raw["eventType"]),
            };
            assert_eq!(*id, options.uuid(generated.number));
            assert_eq!(*action == catalogue::HIT.event_type, generated.hit);
        }
    }
}

#[test]
fn hits_are_exactly_as_many_as_asked_for() {
    for (permille, count, hits) in
        [(0, 1000, 0), (1, 999, 0), (1, 1000, 1), (1, 20_000, 20), (250, 7, 1), (1000, 5, 5)]
    {
        let options = Options { hits_permille: permille, ..Options::default() };
        let made = events(&options, count).iter().filter(|(generated, _)| generated.hit).count();
        assert_eq!((made as u64, options.hits_in(count)), (hits, hits), "{permille} of {count}");
    }
}

#[test]
fn the_same_options_make_the_same_bytes_and_any_event_can_be_made_alone() {
    let options = Options::default();
    let all = events(&options, 50);
    assert_eq!(all, events(&options, 50));
    let mut generator = Generator::new(options.clone());
    generator.skip_to(49);
    let mut buffer = Vec::new();
    generator.next_into(&mut buffer);
    assert_eq!(buffer, all.last().expect("fifty events").1.as_bytes());
    assert_ne!(all, events(&Options { seed: 2, ..options }, 50));
}

#[test]
fn ids_are_distinct() {
    let options = Options::default();
    let ids: BTreeSet<String> = (0..20_000).map(|n| options.uuid(n)).collect();
    assert_eq!(ids.len(), 20_000);
}

#[test]
fn neighbouring_seeds_share_no_id() {
    let mut ids = BTreeSet::new();
    for seed in 0..40 {
        let options = Options { seed, ..Options::default() };
        ids.extend((0..200).map(|number| options.uuid(number)));
    }
    assert_eq!(ids.len(), 40 * 200);
}

#[test]
fn raw_events_are_as_large_and_as_varied_as_real_ones() {
    let made = events(&Options::default(), 5000);
    let mean = made.iter().map(|(_, event)| event.len()).sum::<usize>() / made.len();
    assert!((2500..3100).contains(&mean), "{mean} bytes on average");
    let types: BTreeSet<String> =
        made.iter().map(|(_, event)| raw_of(Shape::Raw, event)["eventType"].to_string()).collect();
    assert!(types.len() >= 43, "{} event types", types.len());
}

#[test]
fn shapes_are_known_by_name_and_others_are_refused() {
    for shape in Shape::ALL {
        assert_eq!(shape.name().parse(), Ok(shape));
    }
    let refused = "xml".parse::<Shape>().expect_err("no such shape");
    assert_eq!(refused.to_string(), "\"xml\" is no shape; allowed are raw, ecs and agent");
}

/// As a template does it, one slot after the other in a text that grows: the naive way.
fn filled(text: &str, setting: &Setting, values: &Values, random: &mut Random) -> String {
    let ascii = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("values are ASCII");
    let once = |slot: &str| {
        let of = |it: &people::Person, lengths| it.texts(lengths);
        let [actor_id, actor_user, actor_name] = of(&values.actor, &setting.actor);
        let [target_id, target_user, target_name] = of(&values.target, &setting.target);
        let digits = ascii(&values.uuid.concat());
        Some(match slot {
            "uuid" => {
                [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]]
                    .join("-")
            }
            "published" => ascii(&values.published),
            "host" => ascii(&values.host),
            "actor.id" => actor_id,
            "actor.user" => actor_user,
            "actor.name" => actor_name,
            "target.id" => target_id,
            "target.user" => target_user,
            "target.name" => target_name,
            _ => return setting.text(slot).map(str::to_owned),
        })
    };
    let mut text = text.to_owned();
    let mut from = 0;
    while let Some(at) = text[from..].find("<%").map(|at| from + at) {
        let end = at + text[at..].find("%>").expect("a slot is closed");
        match once(&text[at + 2..end]) {
            Some(value) => text.replace_range(at..end + 2, &value),
            None => from = end,
        }
    }
    // What an event has several of is drawn in order: first all words, then all hashes.
    while text.contains("<%word%>") {
        text = text.replacen("<%word%>", &ascii(&random.letters().concat()), 1);
    }
    while text.contains("<%hex%>") {
        text = text.replacen("<%hex%>", &ascii(&random.hex().concat()), 1);
    }
    text
}

#[test]
fn a_template_with_its_blanks_filled_is_its_text_with_its_slots_filled() {
    let names = Names::new();
    let mut random = Random::of_event(7, 0);
    let kinds = catalogue::NOISE.iter().chain(catalogue::NEIGHBOURS).chain([&catalogue::HIT]);
    for (kind, shape) in kinds.flat_map(|kind| Shape::ALL.map(|shape| (kind, shape))) {
        let text = texts::text(kind, shape);
        let layout = Layout::parse(&text);
        for _ in 0..20 {
            let setting = Setting::draw(&mut random);
            let template = Template::new(&layout, &setting);
            let mut person = |lengths| {
                let [first, last, namesake, _] = random.quarters();
                names.person(lengths, [first, last, namesake])
            };
            let (actor, target) = (person(&setting.actor), person(&setting.target));
            let [host, ..] = random.quarters();
            let values = Values {
                uuid: random.uuid(),
                published: *b"2026-01-01T00:00:00.000Z",
                host: people::host(host),
                actor,
                target,
            };
            let mut made = b"what stood there before".to_vec();
            template.append(&values, &mut random.clone(), &mut made);
            let expected = filled(&text, &setting, &values, &mut random);
            assert_eq!(String::from_utf8_lossy(&made[23..]), expected);
            assert!(!expected.contains("<%"), "{expected}");
        }
    }
}

/// What the raw events of a run say at this place, as texts.
fn at(events: &[serde_json::Value], pointer: &str) -> Vec<String> {
    let text = |event: &serde_json::Value| {
        event.pointer(pointer).and_then(|value| value.as_str()).expect("a text").to_owned()
    };
    events.iter().map(text).collect()
}

fn distinct(values: &[String]) -> usize {
    values.iter().collect::<BTreeSet<_>>().len()
}

#[test]
fn ids_are_an_events_own_times_advance_and_people_and_addresses_vary() {
    let options = Options { hits_permille: 100, ..Options::default() };
    let events: Vec<_> =
        events(&options, 20_000).iter().map(|(_, event)| raw_of(Shape::Raw, event)).collect();
    for pointer in [
        "/uuid",
        "/transaction/id",
        "/authenticationContext/externalSessionId",
        "/debugContext/debugData/requestId",
        "/debugContext/debugData/dtHash",
    ] {
        assert_eq!(distinct(&at(&events, pointer)), events.len(), "{pointer}");
    }
    for (number, published) in (0..).zip(at(&events, "/published")) {
        let stamp: jiff::Timestamp = published.parse().expect("a time");
        assert_eq!((published.len(), stamp.as_millisecond()), (24, 1_767_225_600_000 + number));
    }
    let logins = at(&events, "/actor/alternateId");
    let people: BTreeMap<_, _> = at(&events, "/actor/id").into_iter().zip(&logins).collect();
    assert!(distinct(&logins) > 5000, "{} people", distinct(&logins));
    assert_eq!(people.len(), distinct(&logins), "a person has one id");
    let addresses = distinct(&at(&events, "/client/ipAddress"));
    assert_eq!(addresses, 3 * 156, "all addresses that there are");
    let hits: Vec<_> = events
        .iter()
        .filter(|event| event["eventType"] == catalogue::HIT.event_type)
        .cloned()
        .collect();
    let victims = distinct(&at(&hits, "/target/0/alternateId"));
    assert!(victims > 1000, "{victims} people in {} hits", hits.len());
}

#[test]
fn event_types_are_as_frequent_as_their_weights_say() {
    let options = Options { hits_permille: 0, noise_hits: true, ..Options::default() };
    let count = 60_000_u64;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (_, event) in events(&options, count) {
        let (_, rest) = event.split_once("\"eventType\":\"").expect("it has a type");
        let (event_type, _) = rest.split_once('"').expect("a text is closed");
        *seen.entry(event_type.to_owned()).or_default() += 1;
    }
    let kinds = || catalogue::NOISE.iter().chain(catalogue::NEIGHBOURS);
    let whole: usize = kinds().map(|kind| kind.weight).sum();
    let mut weights: BTreeMap<&str, usize> = BTreeMap::new();
    kinds().for_each(|kind| *weights.entry(kind.event_type).or_default() += kind.weight);
    assert_eq!(seen.len(), weights.len());
    for (event_type, weight) in weights {
        let expected = count as f64 * weight as f64 / whole as f64;
        let found = seen[event_type] as f64;
        let most = 5.0 * expected.sqrt();
        assert!((found - expected).abs() < most, "{event_type}: {found}, not {expected}");
    }
}

#[test]
fn a_short_division_finds_the_same_hits() {
    for permille in [0, 1, 3, 7, 100, 250, 333, 999, 1000, 2000] {
        let options = Options { hits_permille: permille, ..Options::default() };
        for number in (0..3000).chain(u64::MAX / 2 - 1500..u64::MAX / 2 + 1500) {
            let expected = options.hits_in(number + 1) > options.hits_in(number);
            assert_eq!(options.is_hit(number), expected, "{permille} {number}");
        }
    }
}

#[test]
fn a_time_that_has_no_such_text_is_the_epoch() {
    for start in [i64::MIN, i64::MAX, -62_200_000_000_000] {
        let options = Options { start: Timestamp::from_millis(start), ..Options::default() };
        let (_, event) = events(&options, 1).remove(0);
        assert_eq!(raw_of(Shape::Raw, &event)["published"], "1970-01-01T00:00:00.000Z", "{start}");
    }
}

/// The same options give the same bytes: whoever noted a seed finds the same events.
#[test]
fn the_bytes_of_a_seed_are_those_that_they_were() {
    let check = |shape, expected: &str| {
        let options =
            Options { shape, seed: 7, hits_permille: 100, noise_hits: true, ..Options::default() };
        let text: String =
            events(&options, 1000).iter().map(|(_, event)| format!("{event}\n")).collect();
        let hash = Sha256::digest(text.as_bytes());
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, expected, "{}", shape.name());
    };
    check(Shape::Raw, "46c04da44c441c8fce9bfdd3ee7d62882fb1255694b1bf8bf9a7130d5c8a00b9");
    check(Shape::Ecs, "89fac96fd96711913579cbc001a4d684dc4ac0358d35d221234379f8a8ba783d");
    check(Shape::Agent, "7e9e7e4f6d7c3daab064336e374ad3dd3c9c15a69be3931ccbd0803d60a7e7a7");
}
