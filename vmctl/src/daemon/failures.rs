//! How the errors of the rooms below become failures that a user can act on.

use std::{error::Error, io};

use chronotap::datapath::DatapathError;

use crate::{
    api::failure::{Failure, FailureKind, chain},
    cloud::{KeysError, SeedError},
    lab::{LabError, TapError},
    parts::MissingPart,
    qemu::QemuError,
};

impl From<LabError> for Failure {
    fn from(error: LabError) -> Self {
        let needs_root = error.wants_privilege()
            || matches!(error, LabError::NoRuntimeDirectory | LabError::Tap(TapError::Driver(_)));
        let kind = if needs_root { FailureKind::Privilege } else { FailureKind::Runtime };
        let failure = Self::new(kind, &error);
        match error {
            LabError::Busy { name, .. } => Self::runtime(format!("lab `{name}` is up already"))
                .remedy(format!(
                    "see `vmctl status --lab {name}`, end it with `vmctl down {name}`, or start \
                     another one beside it with `vmctl up --lab OTHER`"
                )),
            LabError::Stuck { pid, .. } => failure.remedy(format!(
                "a process that survives SIGKILL waits inside the kernel: see /proc/{pid}/stack"
            )),
            _ => failure,
        }
    }
}

impl From<MissingPart> for Failure {
    fn from(error: MissingPart) -> Self {
        // The message holds the remedy.
        Self::privilege(error)
    }
}

impl From<QemuError> for Failure {
    fn from(error: QemuError) -> Self {
        let message = chain(&error);
        match error {
            QemuError::Lab(error) => error.into(),
            QemuError::MissingPart(error) => error.into(),
            QemuError::NotFound => Self::privilege(message),
            QemuError::Unusable { .. } | QemuError::TooOld { .. } => Self::privilege(message)
                .remedy("install one with `cargo xtask setup`, or name another in VMCTL_QEMU"),
            QemuError::Image { .. }
            | QemuError::Modules { .. }
            | QemuError::Disk { .. }
            | QemuError::TooManyNics { .. } => {
                Self::usage(message).remedy("correct it in the topology file")
            }
            QemuError::Start { .. } | QemuError::Overlay { .. } => Self::runtime(message),
        }
    }
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        let failure =
            if matches!(error, KeysError::Start(_)) { Self::privilege } else { Self::runtime };
        failure(chain(&error))
    }
}

impl From<SeedError> for Failure {
    fn from(error: SeedError) -> Self {
        Self::runtime(chain(&error))
    }
}

impl From<DatapathError> for Failure {
    fn from(error: DatapathError) -> Self {
        let failure = if is_refusal(&error) { Self::privilege } else { Self::runtime };
        let failure = failure(format!("the scheduler does not start: {}", chain(&error)));
        if failure.kind == FailureKind::Privilege {
            return failure.remedy(
                "it needs CAP_BPF, CAP_NET_ADMIN, CAP_NET_RAW and, for its memory, CAP_IPC_LOCK or \
                 a higher `ulimit -l`; root has them, most containers do not",
            );
        }
        failure
    }
}

/// Whether the kernel refused something for lack of privilege.
fn is_refusal(error: &(dyn Error + 'static)) -> bool {
    let first: Option<&(dyn Error + 'static)> = Some(error);
    let mut causes = std::iter::successors(first, |error| (*error).source());
    causes.any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|io| io.kind() == io::ErrorKind::PermissionDenied)
    })
}
