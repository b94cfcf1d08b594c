//! What the tool in the guest reports as JSON. Names, once there, keep their meaning.

pub mod beat;
pub mod clocks;
pub mod facts;
