//! A command in a guest as one HTTP request, with nothing to read and little to say.

use chronotap_guest::host::{ExecError, Session};

use crate::api::{
    exec::{OUTPUT_LIMIT, Ran, Request},
    failure::Failure,
};

/// Runs a command without input to its end. Dropping this kills it, as when the client hangs up.
///
/// # Errors
/// Usage for more output than [`OUTPUT_LIMIT`]; runtime when the guest is gone.
pub async fn run(session: &Session, request: &Request) -> Result<Ran, Failure> {
    let output = session.run(request, &[], OUTPUT_LIMIT).await.map_err(|error| {
        let failure = Failure::usage(&error);
        match error {
            ExecError::TooMuchOutput(_) => {
                failure.remedy("the WebSocket on this path has no limit")
            }
            ExecError::TooLong => failure,
            _ => Failure::runtime(error),
        }
    })?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    Ok(Ran { outcome: output.outcome, stdout, stderr })
}
