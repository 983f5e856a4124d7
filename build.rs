//! Tells the program which commit it was built from.
//!
//! A release asks git (or takes `OUZEL_COMMIT`, as the container build does); any other build says
//! `dev`, so that a commit does not recompile the crate while it is worked on.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=OUZEL_COMMIT");
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = match std::env::var("OUZEL_COMMIT") {
        Ok(commit) if !commit.trim().is_empty() => commit.trim().to_owned(),
        _ if release => git_commit().unwrap_or_else(|| "unknown".to_owned()),
        _ => "dev".to_owned(),
    };
    println!("cargo:rustc-env=OUZEL_BUILD_COMMIT={commit}");
}

fn git_commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
    };
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo:rerun-if-changed={log}");
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let dirty = Command::new("git").args(["diff", "--quiet", "HEAD"]).status().ok()?;
    Some(if dirty.success() { commit } else { format!("{commit}-dirty") })
}
