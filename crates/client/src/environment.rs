//! What a worker runs in: the platform, and who hosts it. Shown with its heartbeats.

use std::path::Path;
use std::sync::OnceLock;

use timewright_proto::temporal::api::worker::v1::EnvironmentInfo;
use timewright_proto::temporal::api::worker::v1::environment_info::hosting_environment::HostingEnvironmentType;
use timewright_proto::temporal::api::worker::v1::environment_info::linux_platform::Libc;
use timewright_proto::temporal::api::worker::v1::environment_info::platform::Variant;
use timewright_proto::temporal::api::worker::v1::environment_info::runtime::RuntimeType;
use timewright_proto::temporal::api::worker::v1::environment_info::{
    Architecture, HostingEnvironment, LinuxPlatform, MacOsPlatform, Platform, Runtime, WindowsPlatform,
};

/// Of this process. None of it changes while it runs, so that files are read only once, and not for each heartbeat.
pub(crate) fn environment() -> EnvironmentInfo {
    static ENVIRONMENT: OnceLock<EnvironmentInfo> = OnceLock::new();
    ENVIRONMENT.get_or_init(read).clone()
}

fn read() -> EnvironmentInfo {
    let has_variable = |name: &str| std::env::var_os(name).is_some();
    let hosts = hosting_environments(has_variable, Path::new("/.dockerenv").exists());
    EnvironmentInfo {
        runtimes: vec![Runtime { r#type: RuntimeType::Native.into(), version: String::new() }],
        hosting_environments: hosts
            .map(|host| HostingEnvironment { r#type: host.into(), version: String::new() })
            .collect(),
        platform: platform(),
    }
}

/// As their documentation says that a process can know them.
fn hosting_environments(
    has_variable: impl Fn(&str) -> bool,
    is_docker: bool,
) -> impl Iterator<Item = HostingEnvironmentType> {
    let by_variable = [
        ("KUBERNETES_SERVICE_HOST", HostingEnvironmentType::K8s),
        ("AWS_LAMBDA_FUNCTION_NAME", HostingEnvironmentType::AwsLambda),
        ("ECS_CONTAINER_METADATA_URI_V4", HostingEnvironmentType::AwsEcs),
        ("K_SERVICE", HostingEnvironmentType::GoogleCloudRun),
        ("GAE_SERVICE", HostingEnvironmentType::GoogleAppEngine),
        ("WEBSITE_SITE_NAME", HostingEnvironmentType::AzureAppService),
        ("FUNCTIONS_WORKER_RUNTIME", HostingEnvironmentType::AzureFunctions),
        ("CONTAINER_APP_NAME", HostingEnvironmentType::AzureContainerApps),
    ];
    let docker = is_docker.then_some(HostingEnvironmentType::Docker);
    docker.into_iter().chain(by_variable.into_iter().filter(move |(name, _)| has_variable(name)).map(|(_, host)| host))
}

fn platform() -> Option<Platform> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => Architecture::Amd64,
        "aarch64" => Architecture::Arm64,
        _ => Architecture::Unspecified,
    }
    .into();
    let variant = match std::env::consts::OS {
        "linux" => {
            let version = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
            let libc = if cfg!(target_env = "musl") { Libc::Musl } else { Libc::Glibc }.into();
            Variant::Linux(LinuxPlatform { version, architecture, libc })
        }
        "macos" => Variant::Macos(MacOsPlatform { version: String::new(), architecture }),
        "windows" => Variant::Windows(WindowsPlatform { architecture, ..WindowsPlatform::default() }),
        _ => return None,
    };
    Some(Platform { variant: Some(variant) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_known_by_what_they_set() {
        let known = |variables: &[&str], is_docker| -> Vec<_> {
            hosting_environments(|name| variables.contains(&name), is_docker).collect()
        };
        assert_eq!(known(&[], false), []);
        assert_eq!(
            known(&["KUBERNETES_SERVICE_HOST", "HOME"], true),
            [HostingEnvironmentType::Docker, HostingEnvironmentType::K8s]
        );
        assert_eq!(known(&["AWS_LAMBDA_FUNCTION_NAME"], false), [HostingEnvironmentType::AwsLambda]);
    }
}
