use sha2::{Digest, Sha256};

use super::*;

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
    let ids: std::collections::HashSet<String> = (0..20_000).map(|n| options.uuid(n)).collect();
    assert_eq!(ids.len(), 20_000);
}

#[test]
fn neighbouring_seeds_share_no_id() {
    let mut ids = std::collections::BTreeSet::new();
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
    let types: std::collections::BTreeSet<String> =
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

/// The same options give the same bytes, for ever: whoever noted a seed finds the same events.
#[test]
fn the_bytes_of_a_seed_are_those_that_they_always_were() {
    let check = |shape, expected: &str| {
        let options =
            Options { shape, seed: 7, hits_permille: 100, noise_hits: true, ..Options::default() };
        let text: String =
            events(&options, 1000).iter().map(|(_, event)| format!("{event}\n")).collect();
        let hash = Sha256::digest(text.as_bytes());
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, expected, "{}", shape.name());
    };
    check(Shape::Raw, "752416669aecc4694951c79e08dd9d93844aada7d8506e3d2c834e45342873ab");
    check(Shape::Ecs, "3e0b21a50a06a17a689ad5be505f076fceab3141439490ba40091568a7ff79ff");
    check(Shape::Agent, "07d3b854dd869c5035f78a14c3621c0a9d866145c2e2e9ab74d37df97bde13d5");
}
