//! `ouzel demo`, as somebody runs it who has just cloned the project.

use std::process::Command;

fn demo(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ouzel"))
        .arg("demo")
        .args(arguments)
        .env_remove("OUZEL_CONFIG")
        .output()
        .expect("the program can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Six resets among 6,000 events: three cards, the rest counted, and a table that adds up.
#[test]
fn the_demonstration_checks_itself_and_ends() {
    let (code, shown, said) = demo(&["--count", "6000", "--seed", "7"]);
    assert_eq!(code, Some(0), "{shown}\n{said}");
    for line in [
        "events judged           6000 of 6000",
        "alerts                  6 of 6 expected",
        "missing / repeated      0 / 0",
        "unexpected / wrong hash 0 / 0",
        "… and 3 more alerts",
        "✓ exactly the alerts that were generated",
    ] {
        assert!(shown.contains(line), "no {line:?} in\n{shown}");
    }
    assert_eq!(shown.matches("┌ ALERT").count(), 3, "{shown}");
    assert_eq!(said, "", "nothing is wrong, so nothing is said");
}

/// What it cannot heed it refuses: nobody shall take it for a demonstration of exactly-once.
#[test]
fn settings_that_mean_nothing_to_it_are_refused() {
    let check = |arguments: &[&str], option: &str| {
        let (code, shown, said) = demo(arguments);
        assert_eq!((code, &*shown), (Some(3), ""), "{arguments:?}: {said}");
        assert!(said.starts_with(&format!("error: {option} means nothing to demo")), "{said}");
        assert!(said.contains("at-least-once, on an embedded broker"), "{said}");
    };
    check(&["--set", "delivery.guarantee=exactly-once"], "--set");
    check(&["--rules", "config/rules/okta"], "-r/--rules");
}
