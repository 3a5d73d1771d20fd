//! What nobody knows about a site, as knobs: every unknown of the estate is one, with its values
//! enumerated. An episode draws one value of each from its seed.
//!
//! The safety properties are judged over all values; a run counts which pairs of values it has seen.

use crate::dice::Dice;

/// A knob by its name, and the value that an episode drew: its number and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Setting {
    /// The knob.
    pub knob: &'static str,
    /// The value.
    pub value: &'static str,
}

macro_rules! knobs {
    ($( $(#[$doc:meta])* $field:ident: $name:ident { $( $(#[$value_doc:meta])* $weight:literal $value:ident = $word:literal ),+ $(,)? } )+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub enum $name { $( $(#[$value_doc])* $value, )+ }

            impl $name {
                /// Every value with its weight.
                pub const ALL: &'static [(u32, Self)] = &[ $( ($weight, Self::$value), )+ ];

                /// The word for it.
                #[must_use]
                pub const fn as_str(self) -> &'static str {
                    match self { $( Self::$value => $word, )+ }
                }
            }
        )+

        /// One value of every knob.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct Knobs { $( $(#[$doc])* pub $field: $name, )+ }

        impl Knobs {
            /// The most ordinary site: the first value of each.
            pub const ORDINARY: Self = Self { $( $field: $name::ALL[0].1, )+ };

            /// Draws every knob.
            pub fn draw(dice: &mut Dice) -> Self {
                Self { $( $field: dice.weighted($name::ALL), )+ }
            }

            /// What was drawn, knob by knob.
            #[must_use]
            pub fn settings(&self) -> Vec<Setting> {
                vec![ $( Setting { knob: stringify!($field), value: self.$field.as_str() }, )+ ]
            }

            /// Every value of every knob.
            #[must_use]
            pub fn all() -> Vec<Vec<Setting>> {
                vec![ $( $name::ALL
                    .iter()
                    .map(|(_, value)| Setting { knob: stringify!($field), value: value.as_str() })
                    .collect(), )+ ]
            }
        }
    };
}

knobs! {
    /// Which hosts have which modules of which HSMs.
    layout: Layout {
        /// One host, one VCM.
        2 Single = "one_host_one_vcm",
        /// One host, VCMs of two HSMs.
        3 Pair = "one_host_two_hsms",
        /// Three hosts, each with VCMs of two of three HSMs.
        3 Shared = "three_hosts_three_hsms",
        /// Two hosts, each with three VCMs; one of the inventory's HSMs is not known.
        2 Wide = "two_hosts_three_vcms",
    }
    /// Whether the hardserver connects again to a VCM that can be reached again.
    reconnect: Reconnect {
        /// Every 10 s.
        3 ByItself = "every_10_s",
        /// Minutes later.
        1 Slow = "minutes_later",
        /// Only when it is told to.
        2 Never = "never",
    }
    /// What a session that was cut for less than 1,800 s keeps.
    resumption: Resumption {
        /// Every loaded object.
        2 Keeps = "keeps_objects",
        /// Nothing.
        1 Loses = "loses_objects",
    }
    /// What `-r` does.
    retry: Retry {
        /// It connects at once.
        4 Works = "works",
        /// It prints an error, and 90 s later the module is back.
        1 Late = "success_after_90_s",
        /// Nothing, whatever it prints.
        1 Nothing = "nothing",
        /// It connects, and what could have been resumed is lost.
        1 LosesKeys = "loses_keys",
    }
    /// What a restart of the hardserver does.
    restart: Restart {
        /// Every module that can be reached works again.
        4 Works = "works",
        /// The modules have other numbers afterwards.
        1 Permutes = "permutes_modules",
        /// A module that was healthy is failed afterwards.
        1 LeavesOneFailed = "leaves_one_failed",
        /// The first start does not succeed.
        1 NeedsTwoStarts = "needs_two_starts",
        /// It stays down, however often it is started.
        1 StaysDown = "stays_down",
    }
    /// What `-M` and `-c` do.
    clear: Clear {
        /// What they should.
        4 Works = "works",
        /// `-M` takes minutes.
        1 Hangs = "enter_hangs",
        /// `-M` is denied to a tenant.
        1 Denied = "enter_denied",
        /// `-c` succeeds at the third time.
        1 FailsTwice = "clear_fails_twice",
        /// `-c` never succeeds.
        1 FailsAlways = "clear_fails_always",
    }
    /// What an echo request tells.
    icmp: Icmp {
        /// The truth.
        6 Honest = "honest",
        /// The VCM's address answers while its HSM boots.
        2 GoodWhileDead = "good_while_service_dead",
        /// No answer even from a VCM that works.
        1 Filtered = "filtered",
        /// Three of ten packets are lost.
        1 Lossy = "loss_30_percent",
        /// No permission to ask.
        1 Refused = "permission_refused",
        /// A router answers "unreachable" in its place.
        1 Router = "router_unreachable",
        /// A TCP port is asked instead.
        1 Tcp = "tcp",
        /// A person signed off that nothing is asked.
        1 SignedOff = "signed_off",
    }
    /// How looks at a host fare.
    look: Looks {
        /// Complete and prompt.
        5 Prompt = "prompt",
        /// Complete and late.
        1 Slow = "slow",
        /// Every fifth is missing.
        1 Missing = "missing",
        /// Every fifth is cut short.
        1 Incomplete = "incomplete",
        /// In every fifth the hardserver does not answer in time.
        1 Unresponsive = "unresponsive",
        /// For some time the tools may not be used.
        1 Denied = "permission_denied",
    }
    /// What a look leaves out.
    printed: Printed {
        /// Nothing.
        4 Everything = "everything",
        /// Statistics.
        1 NoStatistics = "no_statistics",
        /// Serial numbers.
        1 NoEsn = "no_esn",
        /// Both, of a failed module.
        1 FailedBare = "failed_module_bare",
    }
    /// How long an HSM boots.
    boot: Boot {
        /// Three to five minutes.
        2 Minutes = "minutes",
        /// A quarter of an hour.
        1 Long = "quarter_of_an_hour",
    }
    /// What a module does that came back.
    flap: Flap {
        /// It stays.
        3 Stays = "stays",
        /// It works for 60 s and fails again, once.
        1 Once = "fails_again_after_60_s",
    }
    /// How Alertmanager delivers.
    alertmanager: Alertmanager {
        /// Once, at once.
        3 Plain = "plain",
        /// Three replicas, each with every notification.
        1 Replicas = "three_replicas",
        /// A third of the deliveries is lost.
        1 Lossy = "loses_deliveries",
        /// Deliveries come late and out of order.
        1 Late = "late_and_reordered",
        /// It does not run for hours.
        1 Outage = "outage",
        /// It tells of ends that are none, and forgets what it knew.
        1 FalseResolves = "false_resolves",
    }
    /// How the host runner fares.
    runner: Runner {
        /// It answers.
        5 Answers = "answers",
        /// It acts, and the answer is lost.
        1 AnswerLost = "answer_lost",
        /// It is never started.
        1 NeverStarts = "never_starts",
        /// It dies between two steps.
        1 Dies = "dies_between_steps",
        /// It forgets what it did.
        1 Forgets = "forgets",
        /// The host cannot be reached for minutes.
        1 Unreachable = "unreachable",
    }
    /// How the store fares.
    store: Storage {
        /// It works.
        4 Works = "works",
        /// Now and then it refuses a write.
        1 Refuses = "refuses_a_write",
        /// The disk is full for minutes.
        1 Full = "disk_full",
        /// It commits, and the program dies before it knows.
        1 AnswerLost = "answer_lost",
    }
    /// How the remediator fares.
    remediator: Remediator {
        /// It runs.
        4 Runs = "runs",
        /// It dies now and then, and starts again.
        2 Crashes = "crashes",
        /// It stands still for minutes.
        1 Stalls = "stalls",
        /// It is away for hours.
        1 Away = "away_for_hours",
    }
    /// How load is taken from an overloaded HSM.
    load: Load {
        /// The load gate is off.
        4 Off = "gate_off",
        /// By a hook that works.
        1 HookWorks = "hook_works",
        /// By a hook that fails four times of ten.
        1 HookFails = "hook_fails",
        /// By a hook that acts, and whose answer is lost four times of ten.
        1 HookForgets = "hook_forgets",
        /// People are asked.
        1 People = "people_are_asked",
    }
    /// In which mode the remediator runs.
    mode: Modes {
        /// It acts.
        6 Act = "act",
        /// It acts on one host's behalf only when approved.
        1 OneApproves = "one_host_approves",
        /// It asks before every rung.
        1 Approve = "approve",
        /// It runs nothing and records what it would have run.
        1 Observe = "observe",
        /// On one host it only observes.
        1 OneObserves = "one_host_observes",
    }
    /// What people do.
    people: People {
        /// Once paged, they repair within the hour.
        4 OnCall = "repair_when_paged",
        /// Nothing for half a day.
        1 Absent = "absent",
        /// They clear and repair without being asked, and put modules in maintenance.
        2 Meddling = "meddling",
        /// They hold hosts.
        1 Holding = "holding",
    }
    /// What the site permits.
    policy: Permitted {
        /// The defaults.
        3 Default = "default",
        /// Every tier by alerts alone, clear without approval.
        3 Everything = "clear_without_approval",
        /// As above, and a restart may cut healthy modules.
        1 OthersToo = "restart_cuts_others",
        /// Retry only, by the host's own word.
        1 HostRetryOnly = "host_permits_retry",
    }
    /// Whether a module is enrolled on two hosts, where the layout has two that use one HSM.
    enrolment: Enrolment {
        /// Every module is one host's.
        5 Once = "once",
        /// The same VCM is on a second host, and a clear cuts it off there too.
        1 ClearCutsBoth = "vcm_twice_clear_cuts_both",
        /// The same VCM is on a second host, and a clear ends one host's session only.
        1 ClearCutsOne = "vcm_twice_clear_cuts_one",
        /// A network HSM is on both hosts, and a clear cuts both off.
        1 NetworkHsm = "network_hsm_on_both",
    }
    /// What the wall clock of the remediator's machine does.
    clock: WallClock {
        /// It is right.
        5 Right = "right",
        /// It steps forward by hours, and is set right hours later.
        1 StepsForward = "steps_forward",
        /// It steps back by hours, and is set right hours later.
        1 StepsBack = "steps_back",
        /// It is hours ahead or behind when the program first starts, and is set right hours later.
        1 WrongAtStart = "wrong_at_start",
    }
    /// When restart and clear may start.
    windows: Windows {
        /// At any time.
        5 AnyTime = "any_time",
        /// By night.
        1 ByNight = "by_night",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_name_every_knob_and_a_value_that_it_has() {
        let settings = Knobs::draw(&mut Dice::new(7, 0)).settings();
        let all = Knobs::all();
        assert_eq!(settings.len(), all.len());
        for (setting, values) in settings.iter().zip(all) {
            assert!(values.contains(setting), "{setting:?}");
        }
    }
}
