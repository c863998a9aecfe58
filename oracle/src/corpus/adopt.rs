// SPDX-License-Identifier: GPL-2.0-or-later
//! Brings a fuzzer's finds into a corpus that people read: the find that shows the most beyond what the corpus shows is
//! made small, as long as it shows that, and so on until no find shows anything more.

use std::collections::HashSet;

use super::cover::{Candidate, choose, own};
use super::feature::{Features, Look, Observer};
use super::goal::{Showing, trouble};
use super::input::{Input, cost};
use crate::drive::End;
use crate::findings;
use crate::minimize::{Budget, Progress, minimize};
use crate::rig::Hosts;
use crate::scenario_buf::ScenarioBuf;
use crate::verify::Verdict;

/// How finds are taken up.
pub struct Options<'a> {
    /// How closely is looked.
    pub look: Look,
    /// Finds that are taken up, at most.
    pub at_most: usize,
    /// What making one small may cost.
    pub budget: Budget<'a>,
}

/// A find that was made small.
pub struct Adopted {
    /// What is left of it.
    pub scenario: ScenarioBuf,
    /// It is 1-minimal.
    pub minimal: bool,
    /// What it stays for.
    pub own: Features,
    /// Where it comes from: its place among the inputs.
    pub from: usize,
}

/// What came of it.
#[derive(Default)]
pub struct Adoption {
    /// The scenarios to keep.
    pub adopted: Vec<Adopted>,
    /// Inputs on which the sides differ, or that do harm which nothing explains: those are to be told.
    pub trouble: Vec<(usize, Verdict)>,
    /// Inputs of which nothing is left when what harms the host is cut off.
    pub harmful: usize,
    /// Inputs that would have shown more, but enough were taken up.
    pub left: usize,
    /// It was interrupted.
    pub interrupted: bool,
}

/// A find on its way.
struct Find {
    scenario: ScenarioBuf,
    features: Features,
    /// It was looked at on both sides, and does no harm.
    sound: bool,
    from: usize,
}

/// Takes up what `inputs` show beyond `had`.
pub fn adopt(
    observer: &mut Observer<'_>,
    had: &HashSet<u64>,
    inputs: &[Input],
    options: &Options<'_>,
    progress: &dyn Fn(usize, usize, Progress),
) -> Adoption {
    let mut adoption = Adoption::default();
    let interrupted = || {
        let flag = options.budget.interrupted;
        flag.is_some_and(|flag| flag.load(std::sync::atomic::Ordering::Relaxed))
    };
    let mut finds = Vec::new();
    for (from, input) in inputs.iter().enumerate() {
        if interrupted() {
            break;
        }
        finds.push(Find {
            scenario: input.scenario.clone(),
            features: observer.see(&input.scenario, options.look),
            sound: false,
            from,
        });
        progress(finds.len(), 0, Progress::default());
    }
    let mut have = had.clone();
    let mut kept: Vec<(Adopted, Features)> = Vec::new();
    while let Some((at, gain)) = best(&mut finds, &have) {
        if kept.len() >= options.at_most {
            adoption.left = finds.len();
            break;
        }
        if interrupted() {
            adoption.interrupted = true;
            break;
        }
        let find = &mut finds[at];
        if !find.sound {
            match harmless(observer.hosts(), &find.scenario) {
                Ok(scenario) => {
                    find.sound = true;
                    if scenario != find.scenario {
                        find.features = observer.see(&scenario, options.look);
                        find.scenario = scenario;
                    }
                }
                Err(Harm::Trouble(verdict)) => {
                    adoption.trouble.push((find.from, *verdict));
                    finds.swap_remove(at);
                }
                Err(Harm::AllOfIt) => {
                    adoption.harmful += 1;
                    finds.swap_remove(at);
                }
            }
            continue;
        }
        let find = finds.swap_remove(at);
        let mut goal = Showing {
            observer,
            look: options.look,
            wanted: gain,
        };
        let (found, done) = (finds.len(), kept.len());
        let small = minimize(&find.scenario, &mut goal, &options.budget, &|now| {
            progress(found, done, now);
        });
        // What is not seen again is a state of the rig, not of the scenario.
        let Some(small) = small else { continue };
        let features = observer.see(&small.scenario, options.look);
        have.extend(&features);
        let adopted = Adopted {
            scenario: small.scenario,
            minimal: small.minimal,
            own: Features::new(),
            from: find.from,
        };
        kept.push((adopted, features));
    }
    prune(had, &mut kept);
    adoption.adopted = kept.into_iter().map(|(adopted, _)| adopted).collect();
    adoption
}

/// The find that shows the most for its cost beyond what is had, and what that is; finds that show nothing more go.
fn best(finds: &mut Vec<Find>, have: &HashSet<u64>) -> Option<(usize, Features)> {
    finds.retain_mut(|find| {
        find.features.retain(|id| !have.contains(id));
        !find.features.is_empty()
    });
    // Of equals the one that came first.
    let better = |a: &Find, b: &Find| {
        let worth = |x: &Find, y: &Find| x.features.len() as u128 * u128::from(cost(&y.scenario));
        (worth(a, b), b.from) > (worth(b, a), a.from)
    };
    let mut best = 0;
    for at in 1..finds.len() {
        if better(&finds[at], &finds[best]) {
            best = at;
        }
    }
    Some((best, finds.get(best)?.features.clone()))
}

/// Leaves out what others show as well, and tells what each stays for.
fn prune(had: &HashSet<u64>, kept: &mut Vec<(Adopted, Features)>) {
    let candidates: Vec<Candidate<'_>> = kept
        .iter()
        .map(|(adopted, features)| Candidate {
            features,
            cost: cost(&adopted.scenario),
        })
        .collect();
    let stay: HashSet<usize> = choose(had, &candidates).into_iter().collect();
    let mut at = 0;
    kept.retain(|_| {
        at += 1;
        stay.contains(&(at - 1))
    });
    let sets: Vec<&Features> = kept.iter().map(|(_, features)| features).collect();
    let owned: Vec<Features> = own(had, &sets)
        .into_iter()
        .map(|own| own.into_iter().copied().collect())
        .collect();
    for ((adopted, _), own) in kept.iter_mut().zip(owned) {
        adopted.own = own;
    }
}

/// Why a find cannot be taken up.
pub enum Harm {
    /// The sides differ, or the host takes harm that no finding explains.
    Trouble(Box<Verdict>),
    /// The harm needs no step.
    AllOfIt,
}

/// The scenario without the steps that harm the host in a way that is known: as many of its first steps as do none.
///
/// # Errors
/// It is not for a corpus of scenarios that agree.
pub fn harmless(hosts: &Hosts, scenario: &ScenarioBuf) -> Result<ScenarioBuf, Harm> {
    let harmed = |verdict: &Verdict| match verdict {
        // The file names no finding. A crash that none explains, an oracle has told of.
        Verdict::Unexplained(End::Bug(_)) => true,
        Verdict::Unexplained(end) => findings::explains(end).is_some(),
        _ => false,
    };
    match trouble(hosts, scenario) {
        None => return Ok(scenario.clone()),
        Some(verdict) if harmed(&verdict) => {}
        Some(verdict) => return Err(Harm::Trouble(Box::new(verdict))),
    }
    let first = |steps: usize| {
        let mut cut = scenario.clone();
        cut.steps.truncate(steps);
        cut
    };
    // Harm that was done stays done: the last number of steps that does none is between two that are known.
    let (mut good, mut bad) = (0, scenario.steps.len());
    if trouble(hosts, &first(good)).is_some() {
        return Err(Harm::AllOfIt);
    }
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        match trouble(hosts, &first(middle)) {
            None => good = middle,
            Some(verdict) if harmed(&verdict) => bad = middle,
            Some(verdict) => return Err(Harm::Trouble(Box::new(verdict))),
        }
    }
    Ok(first(good))
}
