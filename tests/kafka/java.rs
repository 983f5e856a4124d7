//! Java, Maven and the jars of Apache Kafka.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of tests/kafka/pom.xml, for the folder's name.
const KAFKA_VERSION: &str = "4.4.0";

const JAVA_MAJOR_MIN: u32 = 17;

/// Where everything of this suite lives.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/kafka")
}

/// What this machine lacks for the suite, with the command that installs it.
pub fn what_is_missing() -> Option<String> {
    let mut missing = Vec::new();
    match java_major() {
        Some(major) if major >= JAVA_MAJOR_MIN => {}
        Some(major) => missing.push(format!(
            "Java {JAVA_MAJOR_MIN} or later (found {major}): apt-get install openjdk-17-jre-headless"
        )),
        None => missing.push(format!(
            "Java {JAVA_MAJOR_MIN} or later: apt-get install openjdk-17-jre-headless"
        )),
    }
    for (program, package) in [("mvn", "maven"), ("openssl", "openssl"), ("setpriv", "util-linux")]
    {
        let found = Command::new(program).arg("--version").output().is_ok();
        if !found {
            missing.push(format!("{program}: apt-get install {package}"));
        }
    }
    if missing.is_empty() {
        return None;
    }
    Some(format!("the suite against a real Apache Kafka needs {}", missing.join(", and ")))
}

fn java_major() -> Option<u32> {
    let output = Command::new("java").arg("-version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let quoted = text.split('"').nth(1)?;
    quoted.split(['.', '-', '+']).next()?.parse().ok()
}

/// The class path with every jar; fetched once with Maven.
pub fn class_path() -> Result<String, String> {
    let jars = folder().join(format!("jars-{KAFKA_VERSION}"));
    let complete = jars.join(".complete");
    if !complete.exists() {
        let pom = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/pom.xml");
        let output = Command::new("mvn")
            .args(["-q", "-B", "-f"])
            .arg(pom)
            .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
            .arg(format!("-DoutputDirectory={}", jars.display()))
            .output()
            .map_err(|fault| format!("run mvn: {fault}"))?;
        if !output.status.success() {
            return Err(format!(
                "fetch Kafka's jars with mvn: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        fs::write(&complete, KAFKA_VERSION).map_err(|fault| fault.to_string())?;
    }
    Ok(format!("{}/*", jars.display()))
}

/// How a virtual machine is started that is to be up soon and to take little.
pub const SMALL: [&str; 3] = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// The same, with a heap of its own for tools that end at once.
pub const TOOL: [&str; 3] = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// The command that runs `class` in a virtual machine with these options; it is ended when the
/// thread that starts it ends.
pub fn command(class: &str, machine: &[&str]) -> Result<Command, String> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "java"]).args(machine).arg(log_option()?).args([
        "-cp",
        &class_path()?,
        class,
    ]);
    Ok(command)
}

/// The option that says how a program among Kafka's jars logs: to its standard error.
pub fn log_option() -> Result<String, String> {
    let log_configuration = folder().join("log4j2.properties");
    if !log_configuration.exists() {
        fs::create_dir_all(folder()).map_err(|fault| fault.to_string())?;
        let text = "rootLogger.level=warn\nrootLogger.appenderRef.console.ref=console\n\
             appender.console.type=Console\nappender.console.name=console\n\
             appender.console.target=SYSTEM_ERR\nappender.console.layout.type=PatternLayout\n\
             appender.console.layout.pattern=%d %p %c{1}: %m%n\n";
        fs::write(&log_configuration, text).map_err(|fault| fault.to_string())?;
    }
    Ok(format!("-Dlog4j2.configurationFile={}", log_configuration.display()))
}

/// Runs a tool to its end and returns what it printed.
pub fn run(class: &str, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let output = command(class, &TOOL)?
        .args(arguments)
        .output()
        .map_err(|fault| format!("run {class}: {fault}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!(
        "{class} {arguments:?} ended with {}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}
