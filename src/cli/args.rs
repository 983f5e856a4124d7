//! Arguments: what may be written on the command line.
//!
//! Only shapes and help texts stand here. What an option means is decided where its command runs;
//! what several commands share is in [`Shared`].

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The help of a command: close enough together to fit on a screen of 24 lines of 100 characters.
const HELP: &str = "{about}\n{usage-heading} {usage}\n\n{all-args}{after-help}";

/// A streaming detection stage: audit events in, enriched alerts out.
#[derive(Debug, Parser)]
#[command(name = "ouzel", version = super::version::long(), about, max_term_width = 100)]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
#[command(disable_help_flag = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of all commands.
    #[command(flatten)]
    pub shared: Shared,
}

/// Options that every command has.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Shared options")]
pub struct Shared {
    /// Configuration [$OUZEL_CONFIG, else ./ouzel.toml, /etc/ouzel/ouzel.toml]
    #[arg(short, long, global = true, value_name = "FILE", env = "OUZEL_CONFIG", hide_env = true)]
    pub config: Option<PathBuf>,
    /// Rule file or folder, instead of the configured ones; repeatable
    #[arg(short, long = "rules", global = true, value_name = "PATH")]
    pub rules: Vec<PathBuf>,
    /// Sets one configuration key, such as input.group=ouzel; repeatable
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// More logs (-v: debug)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Fewer logs (-q: warnings only, -qq: errors only), no summary
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub quiet: u8,
    /// How logs are written: text or json
    #[arg(long, global = true, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    pub log_format: Option<LogFormatArgument>,
    /// When to colour what people read: auto, always or never
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    #[arg(hide_possible_values = true)]
    pub color: ColorChoice,
    /// Print help
    // The short form always, so that the help of each command fits on a screen.
    #[arg(short, long, global = true, action = clap::ArgAction::HelpShort)]
    pub help: Option<bool>,
}

/// `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormatArgument {
    /// One line of text an event.
    Text,
    /// One JSON object an event.
    Json,
}

/// `--color`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judges a topic and publishes alerts to another, until told to stop
    #[command(help_template = HELP, after_help = "Example: ouzel run -c ouzel.toml --set kafka.brokers=localhost:9092")]
    Run,
    /// Judges lines: one record a line in, one alert a line out
    #[command(help_template = HELP, after_help = "Example: zcat okta.json.gz | ouzel pipe > alerts.ndjson")]
    Pipe(PipeArguments),
    /// Shows the main job on an embedded broker, then checks what came out
    #[command(help_template = HELP, after_help = "Example: ouzel demo --count 20000 --stay")]
    Demo(DemoArguments),
    /// Checks configuration, rules and exceptions: all faults at once
    #[command(help_template = HELP, after_help = "Example: ouzel check -c ouzel.toml --topics")]
    Check(CheckArguments),
    /// Runs the cases that stand beside the rules
    #[command(help_template = HELP, after_help = "Example: ouzel test -r config/rules/okta --junit cases.xml")]
    Test(TestArguments),
    /// Says clause by clause why a rule holds for an event, or does not
    #[command(help_template = HELP, after_help = "Example: ouzel explain --rule 729aa18d-06a6-41c7-b175-b65b739b1181 event.json")]
    Explain(ExplainArguments),
    /// Says whether every event was looked at, and where not, why (1: there are gaps)
    #[command(help_template = HELP, after_help = "Example: ouzel coverage -c ouzel.toml --since 24h")]
    Coverage(CoverageArguments),
    /// Makes seeded Okta events, for tests and load
    #[command(help_template = HELP, after_help = "Example: ouzel generate --count 1000000 --brokers localhost:9092 --topic okta")]
    Generate(GenerateArguments),
}

/// `pipe`.
#[derive(Debug, Clone, Args)]
pub struct PipeArguments {
    /// Files to read, plain, .gz or .zst; none or -: standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Records end with a NUL byte instead of a newline
    #[arg(short = 'z', long)]
    pub null_data: bool,
    /// Where unreadable records go: stderr, discard, a file
    #[arg(long, value_name = "WHERE", default_value = "stderr")]
    pub dead_letters: String,
    /// Where hits go that an exception hides, one JSON a line
    #[arg(long, value_name = "FILE")]
    pub audit: Option<PathBuf>,
    /// Exit with 1 when there was an alert
    #[arg(long)]
    pub fail_on_alert: bool,
}

/// `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArguments {
    /// Events to generate
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=5_000_000))]
    pub count: u64,
    /// Seed of the events
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Keep the broker and the metrics up afterwards, until interrupted
    #[arg(long)]
    pub stay: bool,
}

/// `check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArguments {
    /// Also ask the broker whether the topics exist
    #[arg(long)]
    pub topics: bool,
    /// Print the effective configuration, secrets redacted, and where each value came from
    #[arg(long)]
    pub show: bool,
    /// Print a JSON Schema of the configuration file
    #[arg(long)]
    pub schema: bool,
    /// Warnings are faults as well
    #[arg(long)]
    pub strict: bool,
}

/// `test`.
#[derive(Debug, Clone, Args)]
pub struct TestArguments {
    /// Also write a JUnit report
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// A rule without cases is a failure
    #[arg(long)]
    pub strict: bool,
}

/// `explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArguments {
    /// The rule, by id [default: every rule]
    #[arg(long, value_name = "ID")]
    pub rule: Option<String>,
    /// Events or alerts, one record a line; none or -: standard input
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub output: ExplainOutput,
}

/// `explain --output`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ExplainOutput {
    /// A tree for people.
    #[default]
    Text,
    /// One JSON object an event and rule.
    Json,
}

/// `coverage`.
#[derive(Debug, Clone, Args)]
pub struct CoverageArguments {
    /// So long ago (90m, 24h, 7d), or a time (RFC 3339)
    #[arg(long, value_name = "WHEN", default_value = "24h")]
    pub since: String,
    /// Ask no cluster: only gaps between the documents of coverage.file
    #[arg(long)]
    pub offline: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub output: CoverageOutput,
}

/// `coverage --output`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum CoverageOutput {
    /// A table for people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// `generate`.
#[derive(Debug, Clone, Args)]
pub struct GenerateArguments {
    /// Events to make
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub count: u64,
    /// Hits (resets of all MFA factors) in a thousand events
    #[arg(long, value_name = "H", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub hits_permille: u32,
    /// How events are wrapped: raw, ecs or agent
    #[arg(long, value_name = "SHAPE", default_value = "raw")]
    pub shape: String,
    /// The same seed makes the same bytes
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Also make events that the other shipped rules hit
    #[arg(long)]
    pub noise_hits: bool,
    /// Publish to these brokers instead of standard output
    #[arg(long, value_name = "B", requires = "topic")]
    pub brokers: Option<String>,
    /// The topic to publish to
    #[arg(long, value_name = "T")]
    pub topic: Option<String>,
    /// Events a second [default: as fast as it goes]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: Option<u64>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Arguments;

    #[test]
    fn the_help_of_each_command_fits_on_a_screen_and_shows_one_example() {
        let mut arguments = Arguments::command();
        arguments.build();
        let mut commands = 0;
        for command in arguments.get_subcommands_mut() {
            let help = command.render_help().to_string();
            let (lines, widest) = (help.lines().count(), help.lines().map(str::len).max());
            assert!(lines <= 24, "{lines} lines:\n{help}");
            assert!(widest <= Some(100), "{widest:?} wide:\n{help}");
            assert_eq!(help.matches("Example").count(), 1, "{help}");
            commands += 1;
        }
        assert!(commands >= 7, "{commands} commands");
    }
}
