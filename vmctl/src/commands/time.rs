//! `vmctl pause` and `vmctl resume`.

use super::target;
use crate::{
    api::{failure::Failure, status::Barrier},
    cli::Format,
    output::{self, text::nanos},
};

/// Stops the lab's guests and its time.
pub async fn pause(lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let client = target::find(lab)?;
    let barrier = client.pause().await?;
    output::print(format, &barrier, |barrier| {
        format!("lab {} stands still {}; `vmctl resume` goes on", client.lab_name(), when(barrier))
    })
}

/// Lets them go on.
pub async fn resume(lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let client = target::find(lab)?;
    let barrier = client.resume().await?;
    output::print(format, &barrier, |barrier| {
        format!("lab {} goes on {}", client.lab_name(), when(barrier))
    })
}

fn when(barrier: &Barrier) -> String {
    let now = format!("at {:.6} s of virtual time", barrier.virtual_seconds);
    match barrier.skew_ns {
        Some(skew) => format!("{now}, guests within {}", nanos(skew)),
        None => format!("{now}, as it did before"),
    }
}
