//! Making a guest fit for what the host sends it at no particular virtual instant.

use std::fmt;

use chronotap::{datapath::Datapath, sim::GuestId};

use crate::api::failure::Failure;

/// How to get the data plane's attention for one guest. In modes other than `exact` it has it.
#[derive(Clone, Default)]
pub struct Attention(Option<(Datapath, GuestId)>);

impl Attention {
    /// For a guest of mode `exact`.
    pub fn of(plane: Datapath, guest: GuestId) -> Self {
        Self(Some((plane, guest)))
    }

    /// Resolves when the guest's clock shows where virtual time stands, and will go on doing so.
    ///
    /// # Errors
    /// The lab is going down.
    pub async fn call(&self) -> Result<(), Failure> {
        let Some((plane, guest)) = &self.0 else { return Ok(()) };
        plane.attend(*guest).await.map(drop).map_err(Failure::runtime)
    }
}

impl fmt::Debug for Attention {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guest = self.0.as_ref().map(|(_, guest)| guest);
        formatter.debug_tuple("Attention").field(&guest).finish()
    }
}
