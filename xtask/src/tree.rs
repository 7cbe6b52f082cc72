//! What `cargo tree` says, read into values.

use std::collections::{BTreeMap, BTreeSet};

use crate::Result;
use crate::workspace::{cargo, typed};

/// A package among those that another one reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Package {
    /// `name v1.2.3`: how many versions of it there are.
    pub(crate) versions: BTreeSet<String>,
    /// Features that are switched on.
    pub(crate) features: BTreeSet<String>,
}

/// A member of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) directory: String,
    pub(crate) licence: String,
}

/// A dependency that a member's manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Direct {
    pub(crate) package: String,
    /// What code calls it.
    pub(crate) crate_name: String,
}

/// The packages that `package` with these features (as cargo takes them) reaches over normal dependencies, itself among
/// them, by name.
pub(crate) fn reached(package: &str, features: &[&str]) -> Result<BTreeMap<String, Package>> {
    let mut arguments = vec!["--package", package, "--edges=normal", "--prefix=none", "--format={p}|{f}"];
    arguments.extend(features);
    Ok(parse_reached(&tree(&arguments)?))
}

/// The dependencies that `package` names itself, of these kinds (`normal,build,dev`), with all its features on.
pub(crate) fn direct(package: &str, kinds: &str) -> Result<Vec<Direct>> {
    let edges = format!("--edges={kinds}");
    let output =
        tree(&["--package", package, &edges, "--depth=1", "--all-features", "--prefix=depth", "--format={p}|{lib}"])?;
    Ok(parse_direct(&output))
}

/// All members of the workspace.
pub(crate) fn members() -> Result<Vec<Member>> {
    parse_members(&tree(&["--workspace", "--depth=0", "--prefix=none", "--format={p}|{l}"])?)
}

fn tree(arguments: &[&str]) -> Result<String> {
    let mut command = cargo(["tree", "--quiet"].into_iter().chain(arguments.iter().copied()));
    let output = command.output().map_err(|error| format!("cargo does not start: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("`{}`: {}", typed(&command), String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// Lines such as `tokio v1.54.0|net,rt`, or `timewright-proto v0.1.0 (/path)|grpc (*)`; a package may be there often.
fn parse_reached(output: &str) -> BTreeMap<String, Package> {
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    for (identity, features) in output.lines().filter_map(|line| line.split_once('|')) {
        let mut words = identity.split_whitespace();
        let (Some(name), version) = (words.next(), words.next()) else { continue };
        let package = packages.entry(name.to_owned()).or_default();
        package.versions.extend(version.map(str::to_owned));
        let features = features.trim_end_matches("(*)").trim().split(',').filter(|feature| !feature.is_empty());
        package.features.extend(features.map(str::to_owned));
    }
    packages
}

/// Lines such as `1tokio v1.54.0|tokio`; that of the package itself begins with 0.
fn parse_direct(output: &str) -> Vec<Direct> {
    let lines = output.lines().filter_map(|line| line.strip_prefix('1')?.split_once('|'));
    lines
        .map(|(identity, crate_name)| Direct {
            package: identity.split_whitespace().next().unwrap_or_default().to_owned(),
            crate_name: crate_name.trim_end_matches("(*)").trim().to_owned(),
        })
        .collect()
}

/// Lines such as `xtask v0.1.0 (/path/xtask)|MIT OR Apache-2.0`, with empty ones between; macros have a `(proc-macro)` before
/// the path.
fn parse_members(output: &str) -> Result<Vec<Member>> {
    let member = |line: &str| {
        let (identity, licence) = line.split_once('|')?;
        let (name, directory) = (identity.split_whitespace().next()?, identity.rsplit_once('(')?.1.split_once(')')?.0);
        Some(Member { name: name.to_owned(), directory: directory.to_owned(), licence: licence.trim().to_owned() })
    };
    let lines = output.lines().filter(|line| !line.is_empty());
    lines.map(|line| member(line).ok_or_else(|| format!("cargo tree says `{line}` of a member"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_is_there_often_has_all_its_versions_and_features() {
        let packages = parse_reached(
            "app v0.1.0 (/home/app)|\n\
             tokio v1.54.0|net,rt\n\
             syn v1.0.0 (proc-macro)|\n\
             syn v2.0.0|\n\
             timewright-protocol v0.1.0 (/home/protocol)|activity (*)\n\
             tokio v1.54.0|rt,time (*)\n",
        );
        assert_eq!(packages.keys().collect::<Vec<_>>(), ["app", "syn", "timewright-protocol", "tokio"]);
        assert_eq!(packages["syn"].versions.len(), 2);
        assert_eq!(packages["tokio"].features, ["net", "rt", "time"].map(str::to_owned).into());
        assert_eq!(packages["timewright-protocol"].features, ["activity".to_owned()].into());
        assert!(packages["app"].features.is_empty());
    }

    #[test]
    fn direct_dependencies_are_those_at_depth_one() {
        let direct =
            parse_direct("0app v0.1.0 (/home/app)|\n1serde v1.0.0|serde\n1tonic-prost v0.14.0|tonic_prost (*)\n");
        let named =
            |package: &str, crate_name: &str| Direct { package: package.to_owned(), crate_name: crate_name.to_owned() };
        assert_eq!(direct, [named("serde", "serde"), named("tonic-prost", "tonic_prost")]);
    }

    #[test]
    fn members_have_a_directory_and_a_licence() {
        let members =
            parse_members("app v0.1.0 (proc-macro) (/home/app)|MIT OR Apache-2.0\n\nxtask v0.1.0 (/home/xtask)|\n")
                .unwrap();
        assert_eq!((members[0].name.as_str(), members[0].directory.as_str()), ("app", "/home/app"));
        assert_eq!((members[0].licence.as_str(), members[1].licence.as_str()), ("MIT OR Apache-2.0", ""));
        assert!(parse_members("something else").is_err());
    }
}
