//! The table of arrows, and what breaks it.

use std::collections::BTreeMap;

use crate::tree::{Member, Package};

/// What one package may name, and what it must not reach over any number of corners.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) package: &'static str,
    /// With which features of the package, as cargo takes them, the `must_not_reach` part is checked.
    pub(crate) features: &'static [&'static str],
    /// Normal dependencies that its manifest may name.
    pub(crate) may_name: &'static [&'static str],
    /// `name`, `name[feature]`, or `prefix*`.
    pub(crate) must_not_reach: &'static [&'static str],
}

/// What cargo says of a package.
#[derive(Debug)]
pub(crate) struct Reached {
    /// All packages that it reaches, itself among them.
    pub(crate) packages: BTreeMap<String, Package>,
    /// The packages that its manifest names.
    pub(crate) direct: Vec<String>,
}

/// Members that no rule is about, because nobody's program contains them.
pub(crate) const UNRULED: &[&str] = &["xtask-codegen"];

pub(crate) const RULES: &[Rule] = &[
    // Messages without stubs are plain data.
    Rule {
        package: "timewright-proto",
        features: &[],
        // the feature `json`, which is for tests and tools, names prost-reflect, serde_json and thiserror
        may_name: &[
            "bytes",
            "prost",
            "prost-reflect",
            "prost-types",
            // with feature `serde`
            "serde",
            "serde_json",
            "thiserror",
            "tonic",
            "tonic-prost",
        ],
        must_not_reach: &["tokio*", "tonic*", "tower*", "hyper*", "h2", "serde*"],
    },
    // State machines: data in, data out. No IO, no clock, no randomness, no logs.
    Rule {
        package: "timewright-protocol",
        features: &["--all-features"],
        may_name: &["serde", "serde_json", "thiserror", "timewright-proto"], // serde with its feature
        must_not_reach: &[
            "tokio*",
            "tonic*",
            "tower*",
            "futures*",
            "tracing*",
            "log",
            "rand*",
            "fastrand",
            "getrandom",
            "time",
            "chrono",
            "timewright-converter",
            "timewright-definition",
            "timewright-client",
            "timewright-activity-worker",
            "timewright-workflow-worker",
        ],
    },
    // What a team's crate of definitions is built on: it must cost next to nothing.
    Rule {
        package: "timewright-definition",
        features: &["--all-features"],
        // the feature `macros` names timewright-macros
        may_name: &["serde", "timewright-converter", "timewright-macros", "timewright-proto"],
        must_not_reach: &["tokio*", "tonic*", "timewright-protocol", "timewright-client"],
    },
    // It writes code, and is in no program; what prost needs anyway is all that it costs.
    Rule {
        package: "timewright-macros",
        features: &["--all-features"],
        may_name: &["proc-macro2", "quote", "syn"],
        must_not_reach: &["timewright-definition", "tokio*"],
    },
    Rule {
        package: "timewright-converter",
        features: &["--all-features"],
        may_name: &["futures-core", "serde", "serde_json", "thiserror", "timewright-proto"],
        must_not_reach: &["tokio*", "tonic*", "timewright-protocol", "timewright-client"],
    },
    // One connection serves either role, and knows of neither.
    Rule {
        package: "timewright-client",
        features: &["--all-features"],
        may_name: &[
            // what the signatures of tonic and of tower layers are made of; tonic brings them anyway
            "bytes",
            "http",
            "http-body",
            "http-body-util",
            // resolvers of names and connections; tonic brings it anyway
            "hyper-util",
            // the facade of metrics: three small crates, and no exporter
            "metrics",
            // with feature `resource-slots`
            "pid",
            "prost",
            // with feature `tls`
            "rustls-native-certs",
            "sysinfo",
            "thiserror",
            "timewright-converter",
            "timewright-definition",
            "timewright-proto",
            "timewright-protocol",
            "tokio",
            "tokio-rustls",
            "tonic",
            "tower",
            "tracing",
        ],
        must_not_reach: &[
            "timewright-activity-worker",
            "timewright-workflow-worker",
            "timewright-protocol[activity]",
            "timewright-protocol[workflow]",
        ],
    },
    Rule {
        package: "timewright-activity-worker",
        features: &["--all-features"],
        may_name: &[
            "thiserror",
            "timewright-client",
            "timewright-converter",
            "timewright-definition",
            "timewright-proto",
            "timewright-protocol",
            "tokio",
            "tower",
            "tracing",
        ],
        must_not_reach: &["timewright-workflow-worker", "timewright-protocol[workflow]"],
    },
    Rule {
        package: "timewright-workflow-worker",
        features: &["--all-features"],
        may_name: &[
            // the trait of futures that `select_biased!` takes
            "futures-core",
            // maps in the order of insertion
            "indexmap",
            // random numbers that never change, and ids made of them
            "rand_core",
            "rand_pcg",
            // with feature `foreign`: what goes over the boundary to code elsewhere
            "rmp-serde",
            "serde",
            // the answers to Queries of the Web UI and the CLI
            "serde_json",
            "thiserror",
            "timewright-client",
            "timewright-converter",
            "timewright-definition",
            "timewright-proto",
            "timewright-protocol",
            "tokio",
            "tracing",
            "uuid",
        ],
        must_not_reach: &["timewright-activity-worker", "timewright-protocol[activity]"],
    },
    // What workflow code is written with compiles for WebAssembly.
    Rule {
        package: "timewright-wasm-guest",
        features: &["--all-features"],
        may_name: &[
            "timewright-converter",
            "timewright-definition",
            "timewright-macros",
            "timewright-proto",
            "timewright-workflow-worker",
        ],
        must_not_reach: &["tokio*", "tonic*", "tower*", "timewright-client", "timewright-activity-worker", "getrandom"],
    },
    Rule {
        package: "timewright-wasm",
        features: &["--all-features"],
        may_name: &["thiserror", "timewright-workflow-worker", "wasmi", "wasmi_core"],
        must_not_reach: &["timewright-activity-worker", "timewright-wasm-guest"],
    },
    Rule {
        package: "wasm-workflows",
        features: &[],
        may_name: &["serde", "timewright-wasm-guest", "tracing"],
        must_not_reach: &["tokio*", "tonic*", "timewright-client"],
    },
    // It judges the protocol crate, so it shares no code with it.
    Rule {
        package: "timewright-model-server",
        features: &["--all-features"],
        may_name: &["thiserror", "timewright-proto"],
        must_not_reach: &["timewright-protocol", "timewright-client", "tokio*", "tonic*"],
    },
    // What it shows of the protocol is the model's, so it shares no code with what talks to it.
    Rule {
        package: "timewright-model-front",
        features: &["--all-features"],
        may_name: &["http", "timewright-model-server", "timewright-proto", "tokio", "tonic", "tonic-prost", "tower"],
        must_not_reach: &["timewright-protocol", "timewright-client"],
    },
    // xtask is built of it, and whoever types `cargo xtask` waits for that.
    Rule { package: "timewright-testing", features: &["--all-features"], may_name: &[], must_not_reach: &[] },
    Rule { package: "xtask", features: &[], may_name: &["timewright-testing"], must_not_reach: &[] },
    // The umbrella gives each role alone what the role's crate gives.
    Rule {
        package: "timewright",
        features: &["--no-default-features"],
        may_name: UMBRELLA,
        must_not_reach: &["timewright-activity-worker", "timewright-workflow-worker"],
    },
    Rule {
        package: "timewright",
        features: &["--no-default-features", "--features=activity"],
        may_name: UMBRELLA,
        must_not_reach: &["timewright-workflow-worker", "timewright-protocol[workflow]"],
    },
    Rule {
        package: "timewright",
        features: &["--no-default-features", "--features=workflow"],
        may_name: UMBRELLA,
        must_not_reach: &["timewright-activity-worker", "timewright-protocol[activity]"],
    },
    // A plugin on public hooks: it sees what any user sees.
    Rule {
        package: "timewright-opentelemetry",
        features: &["--all-features"],
        // the feature `sdk` names opentelemetry_sdk
        may_name: &["opentelemetry", "opentelemetry_sdk", "timewright", "tower"],
        must_not_reach: &["timewright-testing", "timewright-model-server"],
    },
    // The same for users' programs: what is deployed for one role has nothing of the other in it.
    Rule {
        package: "greeting-definitions",
        features: &[],
        may_name: &["serde", "timewright-definition"],
        must_not_reach: &["tokio*", "tonic*", "timewright-client", "timewright-protocol"],
    },
    Rule {
        package: "greeting-activity-worker",
        features: &[],
        may_name: EXAMPLE,
        must_not_reach: &[
            "timewright-workflow-worker",
            "timewright-protocol[workflow]",
            "timewright-proto[all-rpcs]",
            "greeting-workflow-worker",
        ],
    },
    Rule {
        package: "greeting-workflow-worker",
        features: &[],
        may_name: EXAMPLE,
        must_not_reach: &[
            "timewright-activity-worker",
            "timewright-protocol[activity]",
            "timewright-proto[all-rpcs]",
            "greeting-activity-worker",
        ],
    },
    // A program for each capability of workflows; it plays both roles.
    Rule { package: "capabilities", features: &[], may_name: CAPABILITIES, must_not_reach: &[] },
    Rule {
        package: "greeting-starter",
        features: &[],
        may_name: EXAMPLE,
        must_not_reach: &[
            "timewright-activity-worker",
            "timewright-workflow-worker",
            "greeting-activity-worker",
            "greeting-workflow-worker",
        ],
    },
    // Programs of both roles.
    Rule {
        package: "activity-programs",
        features: &[],
        may_name: &["timewright", "tokio", "tower", "tracing", "tracing-subscriber"],
        must_not_reach: &["timewright-testing", "timewright-model-server"],
    },
];

const UMBRELLA: &[&str] = &[
    "thiserror",
    "timewright-activity-worker",
    "timewright-client",
    "timewright-converter",
    "timewright-definition",
    "timewright-macros",
    "timewright-proto",
    "timewright-workflow-worker",
    "tokio",
    "tracing",
];

const CAPABILITIES: &[&str] = &["metrics-exporter-prometheus", "serde", "timewright", "tokio"];

const EXAMPLE: &[&str] = &[
    "greeting-definitions",
    "serde",
    "timewright",
    "timewright-activity-worker",
    "timewright-client",
    "timewright-converter",
    "timewright-definition",
    "timewright-workflow-worker",
    "tokio",
    "tracing",
    "tracing-subscriber",
];

impl Rule {
    /// One line for each thing that must not be.
    pub(crate) fn violations(&self, reached: &Reached) -> Vec<String> {
        let package = self.package;
        let mut violations = Vec::new();
        for direct in &reached.direct {
            if !self.may_name.contains(&direct.as_str()) {
                let may = if self.may_name.is_empty() { "nothing".to_owned() } else { self.may_name.join(", ") };
                violations.push(format!("{package} names {direct}; it may name {may}"));
            }
        }
        for forbidden in self.must_not_reach {
            for name in matches(forbidden, &reached.packages) {
                let way = format!(
                    "cargo tree --package {package} {} --edges normal --invert {name}",
                    self.features.join(" ")
                );
                violations.push(format!("{package} reaches {name}, against the rule `{forbidden}`; the way: {way}"));
            }
        }
        violations
    }
}

/// Members that have neither a rule nor an exception: a new package must get one.
pub(crate) fn unknown_members(members: &[Member]) -> Vec<String> {
    let known = |name: &str| UNRULED.contains(&name) || RULES.iter().any(|rule| rule.package == name);
    let unknown = members.iter().filter(|member| !known(&member.name));
    unknown.map(|member| format!("{} has no rule in xtask/src/deps/arrows.rs", member.name)).collect()
}

/// The packages that a pattern of [`Rule::must_not_reach`] means.
fn matches<'a>(pattern: &str, packages: &'a BTreeMap<String, Package>) -> Vec<&'a str> {
    let is_meant = |name: &str, package: &Package| {
        if let Some(prefix) = pattern.strip_suffix('*') {
            name.starts_with(prefix)
        } else if let Some((meant, feature)) = pattern.strip_suffix(']').and_then(|pattern| pattern.split_once('[')) {
            name == meant && package.features.contains(feature)
        } else {
            name == pattern
        }
    };
    packages.iter().filter(|(name, package)| is_meant(name, package)).map(|(name, _)| name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule {
        package: "app",
        features: &["--no-default-features"],
        may_name: &["proto", "protocol"],
        must_not_reach: &["tokio*", "protocol[workflow]", "client"],
    };

    fn reached(packages: &[(&str, &[&str])], direct: &[&str]) -> Reached {
        let package = |features: &[&str]| Package {
            versions: ["v1".to_owned()].into(),
            features: features.iter().map(|feature| (*feature).to_owned()).collect(),
        };
        Reached {
            packages: packages.iter().map(|(name, features)| ((*name).to_owned(), package(features))).collect(),
            direct: direct.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn what_keeps_the_rule_is_left_in_peace() {
        let reached =
            reached(&[("app", &[]), ("proto", &["grpc"]), ("protocol", &["activity"])], &["proto", "protocol"]);
        assert_eq!(RULE.violations(&reached), Vec::<String>::new());
    }

    #[test]
    fn a_package_that_must_not_be_reached_is_named_with_the_way_to_it() {
        let reached = reached(&[("app", &[]), ("proto", &[]), ("client", &[])], &["proto"]);
        assert_eq!(
            RULE.violations(&reached),
            ["app reaches client, against the rule `client`; the way: cargo tree --package app --no-default-features \
              --edges normal --invert client"]
        );
    }

    #[test]
    fn a_feature_breaks_the_rule_where_the_package_alone_does_not() {
        let reached = reached(&[("protocol", &["activity", "workflow"])], &[]);
        assert_eq!(RULE.violations(&reached).len(), 1);
        assert!(
            RULE.violations(&reached)[0].starts_with("app reaches protocol, against the rule `protocol[workflow]`")
        );
    }

    #[test]
    fn a_prefix_means_every_package_that_begins_with_it() {
        let reached = reached(&[("tokio", &[]), ("tokio-util", &[]), ("tok", &[])], &[]);
        assert_eq!(RULE.violations(&reached).len(), 2);
    }

    #[test]
    fn a_dependency_that_the_table_does_not_have_is_named_with_those_it_has() {
        let reached = reached(&[], &["proto", "rand"]);
        assert_eq!(RULE.violations(&reached), ["app names rand; it may name proto, protocol"]);
    }

    #[test]
    fn a_new_member_without_a_rule_is_found() {
        let member = |name: &str| Member { name: name.to_owned(), directory: String::new(), licence: String::new() };
        let members = [member("timewright-proto"), member("xtask-codegen"), member("timewright-nexus-worker")];
        assert_eq!(unknown_members(&members), ["timewright-nexus-worker has no rule in xtask/src/deps/arrows.rs"]);
    }
}
