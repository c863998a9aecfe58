// SPDX-License-Identifier: GPL-2.0-or-later
//! The command `lgdiff`: its verbs, one module each.

mod adopt;
mod campaign;
mod check;
mod explain;
mod files;
mod findings;
mod generate;
mod merge;
mod minimize;
mod record;
mod reference;
mod replay;
mod seeds;
mod summary;
mod trace;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Parser, Subcommand, ValueEnum};
use lguest_engine::PagingMode;

use crate::corpus::feature::Look;
use crate::exit::Exit;
use crate::generate::Profile;
use crate::hardened::mask_of;
use crate::rig::Subject;

/// Runs the original lguest page-table code and its Rust port side by side, and tells every difference.
#[derive(Parser)]
#[command(name = "lgdiff", version)]
struct Command {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// All corpora in both modes, then ten seconds of campaign (the default)
    Check(CheckArgs),
    /// Generates scenarios and runs them
    Campaign(CampaignArgs),
    /// Runs scenario files, or folders of them
    Replay(ReplayArgs),
    /// Shows a scenario step by step, with what each step changes
    Explain(ExplainArgs),
    /// Makes a scenario small that shows a difference or harm, and keeps what it shows
    Minimize(MinimizeArgs),
    /// Keeps few scenarios of a corpus that show all that it shows, and tells what each stays for
    Merge(MergeArgs),
    /// Brings a fuzzer's finds into a corpus: what they show beyond it, made small, as text with a name and a recording
    Adopt(AdoptArgs),
    /// Makes seeds for the fuzz targets of scenarios and of stretches of the boots
    Seeds(SeedsArgs),
    /// Prints one generated scenario
    Gen(GenArgs),
    /// Brings scenario files to the canonical text form
    Fmt(FmtArgs),
    /// Turns the text form into bytes (.lgs), or bytes into text (.scn)
    Convert(ConvertArgs),
    /// Turns a trace of a real guest into a scenario
    Import(ImportArgs),
    /// Writes a replay of a scenario or a trace as a trace
    Export(ExportArgs),
    /// Makes the recordings of scenarios: what the original does in each step
    Record(RecordArgs),
    /// Lists the findings, checks that each still shows as it should, and makes the table of them
    Findings(FindingsArgs),
    /// Tells which original this program was built with
    Reference,
}

#[derive(Args, Default)]
struct CheckArgs {
    /// The corpora
    #[arg(long, value_name = "DIR")]
    corpora: Option<PathBuf>,
    /// Seconds of campaign
    #[arg(long, value_name = "N", default_value_t = 10.0, value_parser = seconds)]
    seconds: f64,
    /// Writes results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ModeArg {
    Nopae,
    Pae,
    Both,
}

impl From<ModeArg> for PagingMode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Nopae => PagingMode::NoPae,
            ModeArg::Pae => PagingMode::Pae,
            ModeArg::Both => PagingMode::Both,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum SubjectArg {
    Both,
    Original,
    Faithful,
    Hardened,
}

impl SubjectArg {
    /// The subject, with the fixes that are switched off, if it is one that has any.
    fn with(self, without: Option<u32>) -> Result<Subject, &'static str> {
        Ok(match (self, without) {
            (SubjectArg::Hardened, without) => Subject::Hardened {
                without: without.unwrap_or(0),
            },
            (_, Some(_)) => return Err("--without is for --subject hardened"),
            (SubjectArg::Both, None) => Subject::Both,
            (SubjectArg::Original, None) => Subject::Original,
            (SubjectArg::Faithful, None) => Subject::Faithful,
        })
    }
}

#[derive(Args)]
struct CampaignArgs {
    /// Paging mode
    #[arg(long, value_enum, default_value = "both")]
    mode: ModeArg,
    /// Ends after this time; ten seconds if neither this nor --scenarios is given
    #[arg(long, value_name = "N", value_parser = seconds)]
    seconds: Option<f64>,
    /// Ends after so many scenarios in each mode
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    scenarios: Option<u64>,
    /// Seed of all scenarios
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Threads; one for each CPU if not given
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// boot, chaos, mixed or trace; the first three in turn if not given
    #[arg(long, value_name = "NAME", value_parser = profile)]
    profile: Option<Profile>,
    /// What runs: both and compared, one alone, or the hardened port against the original
    #[arg(long, value_enum, default_value = "both")]
    subject: SubjectArg,
    /// Fixes of the hardened port that are switched off, by the ids of their findings: C2,C23
    #[arg(long, value_name = "ID,...", value_parser = mask_of)]
    without: Option<u32>,
    /// Ends at the first difference
    #[arg(long)]
    stop_at_first: bool,
    /// Prints one JSON object on stdout
    #[arg(long)]
    json: bool,
    /// Where witnesses go
    #[arg(long, value_name = "DIR", default_value = "divergences")]
    out: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReplaySubject {
    Both,
    Hardened,
}

#[derive(Args)]
struct ReplayArgs {
    /// Scenario files, or folders that are searched for them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Writes results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Prints nothing for scenarios that agree
    #[arg(short, long)]
    quiet: bool,
    /// Holds the port to the recordings, as without the original
    #[arg(long)]
    recorded: bool,
    /// `both` is original and port compared, and the hardened port after them; `hardened` is that alone
    #[arg(long, value_enum, default_value = "both")]
    subject: ReplaySubject,
    /// Fixes of the hardened port that are switched off, by the ids of their findings: C2,C23
    #[arg(long, value_name = "ID,...", value_parser = mask_of)]
    without: Option<u32>,
}

#[derive(Args)]
struct ExplainArgs {
    /// The scenario
    file: PathBuf,
    /// Paging mode, for a scenario that is for both
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,
}

#[derive(Clone, Copy, ValueEnum)]
enum KeepArg {
    /// The class: kind, verb, and what was seen
    Class,
    /// The kind alone: any difference, or any harm of that kind
    Breach,
    /// Coverage and behaviour: all that the scenario shows, or what it shows beyond --beyond
    Cover,
}

/// What a scenario is looked at for.
#[derive(Clone, Copy, ValueEnum)]
enum ByArg {
    /// Edges of the original's code, if they are counted, and abstract states: as a fuzzer does
    States,
    /// Edges, and what recordings say without numbers
    Lines,
    /// All of it
    All,
}

impl From<ByArg> for Look {
    fn from(by: ByArg) -> Self {
        match by {
            ByArg::States => Look::States,
            ByArg::Lines => Look::Lines,
            ByArg::All => Look::All,
        }
    }
}

#[derive(Args)]
struct MergeArgs {
    /// Scenario files, fuzzers' inputs (files without an ending), and folders that are searched for both
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Mode of fuzzers' inputs; that of the target for which the nearest folder is named if not given
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,
    /// A corpus whose scenarios stay anyway: what they show brings nothing any more
    #[arg(long, value_name = "PATH")]
    beyond: Vec<PathBuf>,
    /// What is looked for
    #[arg(long, value_enum, default_value = "all")]
    by: ByArg,
    /// Writes those that stay to this folder, which must be empty or not be there
    #[arg(long, value_name = "DIR", conflicts_with = "in_place")]
    out: Option<PathBuf>,
    /// Removes those that do not stay, and their recordings
    #[arg(long)]
    in_place: bool,
}

#[derive(Args)]
struct AdoptArgs {
    /// A fuzzer's corpora and artifacts, or scenario files
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Mode of fuzzers' inputs; that of the target for which the nearest folder is named if not given
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,
    /// The corpus that they come into; corpora/regression if not given
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// Further corpora: what they show brings nothing any more; corpora/findings if not given
    #[arg(long, value_name = "PATH")]
    beyond: Vec<PathBuf>,
    /// What is looked for
    #[arg(long, value_enum, default_value = "lines")]
    by: ByArg,
    /// Finds that are taken up, at most: those that show the most come first
    #[arg(long, value_name = "N", default_value_t = usize::MAX, hide_default_value = true)]
    at_most: usize,
    /// Steps that are run to make one find small
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    work: u64,
    /// Writes nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args)]
struct SeedsArgs {
    /// Scenario files, or folders that are searched for them; the corpora if not given
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Where they go: a folder for each target
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Emit {
    /// The scenario
    Scn,
    /// A test for oracle/tests; on stdout, unless -o says where
    Rust,
}

#[derive(Args)]
struct MinimizeArgs {
    /// The scenario
    file: PathBuf,
    /// Where the result goes; beside the file, as .min.scn, if not given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Paging mode, for a scenario that is for both; the first that shows anything if not given
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,
    /// What must not be lost
    #[arg(long, value_enum, default_value = "class")]
    keep: KeepArg,
    /// With --keep cover: corpora whose features need not be kept; the file itself among them does not count
    #[arg(long, value_name = "PATH")]
    beyond: Vec<PathBuf>,
    /// With --keep cover: what is looked for
    #[arg(long, value_enum, default_value = "all")]
    by: ByArg,
    /// The form of the result
    #[arg(long, value_enum, default_value = "scn")]
    emit: Emit,
    /// Ends after this time with what it has
    #[arg(long, value_name = "N", default_value_t = 300.0, value_parser = seconds)]
    seconds: f64,
}

#[derive(Args)]
struct GenArgs {
    /// Seed
    #[arg(long, value_name = "S")]
    seed: u64,
    /// Number of the scenario
    #[arg(long, value_name = "I")]
    index: u64,
    /// boot, chaos, mixed or trace; the one that a campaign with all profiles gives this number if not given
    #[arg(long, value_name = "NAME", value_parser = profile)]
    profile: Option<Profile>,
    /// Paging mode
    #[arg(long, value_enum, default_value = "nopae")]
    mode: ModeArg,
}

#[derive(Args)]
struct FmtArgs {
    /// Scenario files, or folders that are searched for them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Changes nothing; fails if a file is not canonical
    #[arg(long)]
    check: bool,
}

#[derive(Args)]
struct ConvertArgs {
    /// The scenario, .scn or .lgs
    file: PathBuf,
    /// Where it goes; beside the file, with the other ending, if not given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Takes the file for a fuzzer's input, whose bytes always mean a scenario, and makes text of it
    #[arg(long, requires = "mode")]
    total: bool,
    /// Paging mode of the fuzz target
    #[arg(long, value_enum, requires = "total")]
    mode: Option<ModeArg>,
}

#[derive(Args)]
struct RecordArgs {
    /// Scenario files, or folders that are searched for them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Changes nothing; fails if the original does otherwise than is recorded
    #[arg(long)]
    check: bool,
}

#[derive(Args)]
struct ImportArgs {
    /// The trace, compressed or not
    trace: PathBuf,
    /// Where the scenario goes, .scn or .lgs, compressed if .gz follows; beside the trace if not given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Args)]
struct FindingsArgs {
    /// The corpora, with the findings in a folder of that name
    #[arg(long, value_name = "DIR")]
    corpora: Option<PathBuf>,
    /// Writes nothing; fails if the table in README.md is not as it should be
    #[arg(long)]
    check: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum SideArg {
    Original,
    Port,
}

impl From<SideArg> for Subject {
    fn from(side: SideArg) -> Self {
        match side {
            SideArg::Original => Subject::Original,
            SideArg::Port => Subject::Faithful,
        }
    }
}

#[derive(Args)]
struct ExportArgs {
    /// A scenario or a trace
    file: PathBuf,
    /// Which side is recorded; the original if not given
    #[arg(long, value_enum)]
    side: Option<SideArg>,
    /// Paging mode, for a scenario that is for both
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,
    /// Where the trace goes, compressed if it ends with .gz; stdout if not given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn profile(text: &str) -> Result<Profile, String> {
    Profile::NAMED
        .into_iter()
        .find(|profile| profile.name() == text)
        .ok_or_else(|| {
            format!(
                "expected one of {}",
                Profile::NAMED.map(Profile::name).join(", ")
            )
        })
}

/// A time of at most ten years: more would overflow clocks.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=315_360_000.0).contains(&value) => Ok(value),
        _ => Err("expected seconds, 0 to 315360000".into()),
    }
}

/// Set by Ctrl-C; a second one ends the process at once.
fn interrupts() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    // Without a handler Ctrl-C still ends the process, only without a summary.
    let _ = ctrlc::set_handler(move || {
        if set.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted.code().into());
        }
    });
    flag
}

/// Parses the command line and does what it says.
pub fn main() -> Exit {
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => {
            // Nothing is left to be done if stdout or stderr are closed.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Agree
            };
        }
    };
    let interrupted = interrupts();
    if lguest_c_reference::reference().is_none() {
        eprintln!("lgdiff: {}", reference::MISSING);
    }
    match command.verb.unwrap_or(Verb::Check(CheckArgs {
        seconds: 10.0,
        ..CheckArgs::default()
    })) {
        Verb::Check(args) => check::check(&args, &interrupted),
        Verb::Campaign(args) => campaign::campaign(&args, &interrupted),
        Verb::Replay(args) => replay::replay(&args, &interrupted),
        Verb::Explain(args) => explain::explain(&args),
        Verb::Minimize(args) => minimize::minimize(&args, &interrupted),
        Verb::Merge(args) => merge::merge(&args),
        Verb::Adopt(args) => adopt::adopt(&args, &interrupted),
        Verb::Seeds(args) => seeds::seeds(&args),
        Verb::Gen(args) => generate::generate(&args),
        Verb::Fmt(args) => files::fmt(&args),
        Verb::Convert(args) => files::convert(&args),
        Verb::Import(args) => trace::import(&args),
        Verb::Export(args) => trace::export(&args),
        Verb::Record(args) => record::record(&args),
        Verb::Findings(args) => findings::findings(&args, &interrupted),
        Verb::Reference => reference::reference(),
    }
}

/// Tells a user's error on stderr.
fn usage(error: impl std::fmt::Display) -> Exit {
    eprintln!("lgdiff: {error}");
    Exit::Usage
}
