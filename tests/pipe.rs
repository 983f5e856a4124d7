//! `ouzel pipe` as its users run it: the real program, lines in, lines out.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use ouzel::generate::{Generator, Options};
use serde_json::Value;

use crate::support::okta;

/// Longer than anything here may take on a busy machine; a test waits for what it wants and ends
/// as soon as it comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of one test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pipe-{name}"));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).expect("the folder can be made");
        Self(path)
    }
    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).expect("the file can be written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// `ouzel pipe` with the rule of the main job and `arguments`, in a folder without configuration.
fn pipe(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
    command.arg("pipe").arg("-r").arg(okta::rule_file()).args(arguments);
    command.current_dir(&folder.0).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn output(mut command: Command) -> Output {
    command.output().expect("the program runs")
}

/// Runs with `input` as standard input.
fn fed(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the program runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_vec();
    // A thread of its own, so that neither side waits for the other.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the writer does not panic");
    output
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).expect("the output is UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

fn ids(output: &Output) -> Vec<String> {
    let alerts = lines(&output.stdout);
    let id = |alert: &Value| alert["kibana.alert.uuid"].as_str().expect("it has an id").to_owned();
    alerts.iter().map(id).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("{:?}", output.status))
}

/// `count` generated events, one a line, with twenty hits in a thousand; and the ids that must
/// come out, in order.
fn generated(count: u64) -> (Vec<u8>, Vec<String>) {
    let options = Options { hits_permille: 20, ..Options::default() };
    let hits = (0..count).filter(|number| options.is_hit(*number));
    let expected = hits.map(|number| okta::alert_id(&options.uuid(number))).collect();
    let mut generator = Generator::new(options);
    let mut text = Vec::new();
    for _ in 0..count {
        generator.next_into(&mut text);
        text.push(b'\n');
    }
    (text, expected)
}

#[test]
fn known_events_become_known_alerts() {
    let folder = Folder::new("known");
    let (text, expected) = generated(2000);
    let output = fed(pipe(&folder, &[]), &text);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(ids(&output), expected);
    let alerts = lines(&output.stdout);
    let source: Vec<_> = text.split(|byte| *byte == b'\n').collect();
    for alert in &alerts {
        let place = &alert["ouzel"]["source"];
        assert_eq!((&place["topic"], &place["partition"]), (&"stdin".into(), &0.into()));
        let offset = place["offset"].as_u64().expect("it is a number");
        let bytes = alert["ouzel"]["payload"]["bytes"].as_u64().expect("it is a number");
        assert_eq!(source[offset as usize].len() as u64, bytes, "the offset is the line's number");
    }
    let summary = stderr(&output);
    assert!(summary.starts_with("2000 records, "), "{summary}");
    assert!(summary.contains(" 40 alerts, 0 dead letters; "), "{summary}");
    assert_eq!(summary.lines().count(), 1, "{summary}");
}

#[test]
fn files_may_be_plain_or_compressed() {
    let folder = Folder::new("compressed");
    let (text, expected) = generated(500);
    let plain = folder.file("plain.ndjson", &text);
    let gz = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&text).expect("it is memory");
        let mut bytes = encoder.finish().expect("it is memory");
        // Two members one after the other are one file (`cat a.gz b.gz`).
        bytes.extend_from_within(..);
        folder.file("twice.ndjson.gz", &bytes)
    };
    let zst = folder.file("one.ndjson.zst", &zstd::encode_all(&*text, 1).expect("it is memory"));
    for path in [&plain, &gz, &zst] {
        let name = path.to_str().expect("test paths are UTF-8");
        let output = output(pipe(&folder, &["-q", name]));
        assert_eq!((code(&output), stderr(&output)), (0, String::new()));
        // The second member repeats the first: its alerts were delivered already.
        assert_eq!(ids(&output), expected, "{name}");
        assert_eq!(lines(&output.stdout)[0]["ouzel"]["source"]["topic"], name);
    }
}

#[test]
fn nul_ends_records_that_hold_newlines() {
    let folder = Folder::new("null");
    let pretty = okta::hit("h1").replace(',', ",\n  ");
    let input = format!("{}\0{pretty}\0", okta::clean("c1"));
    let output = fed(pipe(&folder, &["-z"]), input.as_bytes());
    assert_eq!(ids(&output), [okta::alert_id("h1")], "{}", stderr(&output));
    assert!(stderr(&output).starts_with("2 records, "), "{}", stderr(&output));
}

/// One record that is no JSON, one that is no UTF-8, between two hits.
fn with_unreadable() -> Vec<u8> {
    let mut input = okta::hit("h1").into_bytes();
    input.extend_from_slice(b"\n{\"cut\": \"off\n\xff\xfe{\n");
    input.extend_from_slice(okta::hit("h2").as_bytes());
    input
}

fn check_dead_letters(letters: &[Value]) {
    assert_eq!(letters.len(), 2, "{letters:?}");
    let text = letters.iter().find(|letter| letter.get("payload").is_some());
    assert_eq!(text.expect("one is text")["payload"], "{\"cut\": \"off");
    let bytes = letters.iter().find(|letter| letter.get("payload_base64").is_some());
    assert_eq!(bytes.expect("one is not")["payload_base64"], "//57");
}

#[test]
fn what_cannot_be_read_goes_where_it_is_told() {
    let folder = Folder::new("dead-letters");
    let expected = [okta::alert_id("h1"), okta::alert_id("h2")];

    let to_stderr = fed(pipe(&folder, &["-q"]), &with_unreadable());
    assert_eq!((code(&to_stderr), ids(&to_stderr)), (0, expected.to_vec()));
    check_dead_letters(&lines(&to_stderr.stderr));

    let to_file = fed(pipe(&folder, &["--dead-letters", "letters.ndjson"]), &with_unreadable());
    assert_eq!((code(&to_file), ids(&to_file)), (0, expected.to_vec()));
    let letters = fs::read(folder.0.join("letters.ndjson")).expect("it was written");
    check_dead_letters(&lines(&letters));
    assert!(stderr(&to_file).contains(" 2 dead letters; "), "{}", stderr(&to_file));

    let discarded = fed(pipe(&folder, &["--dead-letters", "discard"]), &with_unreadable());
    assert_eq!((code(&discarded), ids(&discarded)), (0, expected.to_vec()));
    assert!(stderr(&discarded).contains(" 2 dead letters; "), "{}", stderr(&discarded));
    assert_eq!(stderr(&discarded).lines().count(), 1);
}

#[test]
fn an_alert_fails_only_where_that_was_asked_for() {
    let folder = Folder::new("fail-on-alert");
    let check = |arguments: &[&str], event: String, expected: i32| {
        let output = fed(pipe(&folder, arguments), event.as_bytes());
        assert_eq!(code(&output), expected, "{}", stderr(&output));
    };
    check(&["--fail-on-alert"], okta::hit("h"), 1);
    check(&["--fail-on-alert"], okta::clean("c"), 0);
    check(&["--fail-on-alert"], "{".to_owned(), 0);
    check(&[], okta::hit("h"), 0);
}

#[test]
fn alerts_past_the_limit_are_written_and_marked() {
    let folder = Folder::new("limit");
    let events: Vec<String> = (0..150).map(|number| okta::hit(&format!("h{number}"))).collect();
    // The configuration's overflow target is a topic, which lines do not have.
    let told = ["--set", "output.overflow=\"topic\""];
    let output = fed(pipe(&folder, &told), events.join("\n").as_bytes());
    let all = lines(&output.stdout);
    let (notices, alerts): (Vec<_>, Vec<_>) =
        all.iter().partition(|alert| !alert["ouzel"]["notice"].is_null());
    assert_eq!((alerts.len(), notices.len()), (150, 1), "{}", stderr(&output));
    let marked = alerts.iter().filter(|alert| alert["ouzel"]["over_limit"] == true).count();
    assert_eq!(marked, 50);
    assert!(stderr(&output).contains("150 alerts, 50 of them over a limit"), "{}", stderr(&output));
}

#[test]
fn a_hidden_hit_stands_in_the_audit_file_and_never_among_the_alerts() {
    let folder = Folder::new("audit");
    let exception = "[[exception]]\nid = \"desk\"\nowner = \"o\"\nquery = 'okta.actor.id:00u1'\n";
    folder.file("e.toml", exception.as_bytes());
    let input = format!("{}\n{}\n", okta::hit("u-1"), okta::hit("u-2").replace("00u1", "00u9"));
    let told = ["--set", "exceptions=[\"e.toml\"]", "--set", "output.audit=\"other\""];
    let told = [&told[..], &["--set", "output.overflow=\"topic\""]].concat();
    let output = fed(pipe(&folder, &told), input.as_bytes());
    assert_eq!(ids(&output), [okta::alert_id("u-2")], "{}", stderr(&output));
    assert!(stderr(&output).contains("1 alert, 1 hidden by exceptions"), "{}", stderr(&output));
    let output =
        fed(pipe(&folder, &[&told[..], &["--audit", "a.ndjson"]].concat()), input.as_bytes());
    assert_eq!(ids(&output), [okta::alert_id("u-2")], "{}", stderr(&output));
    let audit = fs::read(folder.0.join("a.ndjson")).expect("there is an audit file");
    let audit = lines(&audit);
    assert_eq!(audit.len(), 1);
    assert_eq!(audit[0]["kibana.alert.uuid"], okta::alert_id("u-1"));
    assert_eq!(audit[0]["ouzel"]["exception"]["id"], "desk");
}

/// From wherever the guarantee is asked for: never a silent step back to the lesser one.
#[test]
fn exactly_once_is_refused_before_anything_is_read() {
    let folder = Folder::new("exactly-once");
    let file = "[delivery]\nguarantee = \"exactly-once\"\n[input]\ninstance_id = \"a\"\n";
    let check = |mut command: Command| {
        command.args(["--dead-letters", "letters.ndjson", "-"]);
        let output = fed(command, okta::hit("h1").as_bytes());
        assert_eq!((code(&output), lines(&output.stdout)), (3, vec![]), "{}", stderr(&output));
        let said = stderr(&output);
        let plain =
            "error: delivery.guarantee is \"exactly-once\", which needs Kafka on both sides";
        assert!(said.starts_with(plain), "{said}");
        assert!(said.contains("add --set delivery.guarantee=at-least-once"), "{said}");
        assert!(!folder.0.join("letters.ndjson").exists(), "nothing is opened for what is refused");
    };
    let told = ["delivery.guarantee=exactly-once", "input.instance_id=a"];
    check(pipe(&folder, &["--set", told[0], "--set", told[1]]));
    let mut by_environment = pipe(&folder, &["--set", told[1]]);
    by_environment.env("OUZEL__DELIVERY__GUARANTEE", "exactly-once");
    check(by_environment);
    folder.file("ouzel.toml", file.as_bytes());
    check(pipe(&folder, &[]));
    // What the message says helps.
    let output = fed(
        pipe(&folder, &["--set", "delivery.guarantee=at-least-once"]),
        okta::hit("h1").as_bytes(),
    );
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let folder = Folder::new("head");
    let events: Vec<String> = (0..20_000).map(|number| okta::hit(&format!("h{number}"))).collect();
    let path = folder.file("hits.ndjson", events.join("\n").as_bytes());
    let mut child = pipe(&folder, &[path.to_str().expect("UTF-8")]).spawn().expect("it runs");
    let mut first = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    stdout.read_line(&mut first).expect("a first alert comes");
    drop(stdout);
    assert!(first.contains(&okta::alert_id("h0")), "{first}");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));
}

/// The first line that `child` writes, while its input stays open.
fn first_line(child: &mut Child) -> String {
    let stdout = child.stdout.take().expect("it is piped");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        drop(sender.send(read.map(|_| line)));
    });
    receiver.recv_timeout(PATIENCE).expect("an alert comes in time").expect("it can be read")
}

#[test]
fn a_live_stream_is_judged_as_it_comes() {
    let folder = Folder::new("live");
    let mut child = pipe(&folder, &[]).stdin(Stdio::piped()).spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    writeln!(stdin, "{}", okta::hit("h1")).expect("it reads");
    stdin.flush().expect("it reads");
    let line = first_line(&mut child);
    assert!(line.contains(&okta::alert_id("h1")), "{line}");
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn what_cannot_be_opened_is_named_all_at_once() {
    let folder = Folder::new("missing");
    let output = output(pipe(&folder, &["nowhere.ndjson", ".", "neither.gz"]));
    assert_eq!(code(&output), 4);
    for name in ["nowhere.ndjson", "read .: a folder", "neither.gz"] {
        assert!(stderr(&output).contains(name), "{}", stderr(&output));
    }
}

#[test]
fn a_file_that_breaks_off_is_an_error_after_its_alerts() {
    let folder = Folder::new("broken");
    let text = format!("{}\n", okta::hit("h1"));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(text.repeat(3).as_bytes()).expect("it is memory");
    encoder.flush().expect("it is memory");
    let bytes = encoder.get_ref().clone();
    let path = folder.file("cut.gz", &bytes);
    let output = output(pipe(&folder, &[path.to_str().expect("UTF-8")]));
    assert_eq!((code(&output), ids(&output)), (4, vec![okta::alert_id("h1")]));
    assert!(stderr(&output).contains("cut.gz"), "{}", stderr(&output));
}

#[test]
fn standard_input_may_stand_between_files() {
    let folder = Folder::new("dash");
    let path = folder.file("one.ndjson", okta::hit("h1").as_bytes());
    let name = path.to_str().expect("UTF-8");
    let output = fed(pipe(&folder, &[name, "-"]), okta::hit("h2").as_bytes());
    assert_eq!(ids(&output), [okta::alert_id("h1"), okta::alert_id("h2")]);
    let mut rest = String::new();
    (&*output.stderr).read_to_string(&mut rest).expect("it is UTF-8");
    assert!(rest.starts_with("2 records, "), "{rest}");
}
