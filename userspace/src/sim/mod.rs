//! The simulated network: pure arithmetic over frames and virtual instants.
//!
//! Nothing here reads a clock, does I/O, spawns, awaits or is unsafe: `now` is always an argument,
//! and the same calls give the same results on every machine.
//!
//! ```text
//! time        instants of two clocks that cannot be mixed
//! clock       host time → virtual time, the only place
//! rate        bits per second, exact time on the wire
//! dice        one random stream per link direction
//! impairment  probabilities, loss models
//! jitter      what delays are distributed like
//! trace       recorded opportunities to send
//! fault       what happens to certain frames
//! profile     the properties of one link direction
//! patch       changes of a profile
//! schedule    a direction over time
//! plan        who is connected to whom
//! pace        the part of a profile that a busy link needs
//! backlog     what waits for a wire
//! link        when a frame arrives, or why it does not
//! delivery    the order of arrivals; queues of frames under way
//! direction   a link direction with the frames on it
//! heads       which direction has the earliest arrival
//! table       the addresses a switch has learned
//! switch      to which port a frame goes on
//! network     all of it together: submit, advance_to, pop_due
//! lookahead   how long a frame takes at the least from guest to guest
//! window      how far guests may run before they wait for each other
//! counters    what is counted, why frames end
//! payload     what is asked of a frame
//! witness     who watches frames go by
//! ```
#![forbid(unsafe_code)]

mod backlog;
mod clock;
mod counters;
mod delivery;
mod dice;
mod direction;
mod fault;
mod heads;
mod impairment;
mod jitter;
mod link;
mod lookahead;
mod network;
mod pace;
mod patch;
mod payload;
mod plan;
mod profile;
mod rate;
mod schedule;
mod switch;
mod table;
mod time;
mod trace;
mod window;
mod witness;

pub use backlog::BacklogSize;
pub use clock::VirtualClock;
pub use counters::{DirectionCounters, DropReason, Drops, SwitchCounters};
pub use delivery::{Delivery, DeliveryKey};
pub use fault::{Action, Choice, Fault, Match};
pub use impairment::{Loss, Probability};
pub use jitter::{Distribution, Table};
pub use lookahead::{LeastPath, Paths};
pub use network::Network;
pub use patch::{Capacity, DirectionChange, NotChanged, Patch};
pub use payload::Payload;
pub use plan::{
    DirectionId, Endpoint, GuestId, LinkId, LinkPlan, Plan, PlanError, PortId, SwitchId,
    SwitchSettings, Way,
};
pub use profile::{Profile, QueueLimit};
pub use rate::Rate;
pub use schedule::{Change, Schedule, Step};
pub use time::{Host, HostInstant, Instant, Virtual, VirtualInstant};
pub use trace::{Trace, TraceError};
pub use window::{Lookahead, Quantum, QuantumError, Window};
pub use witness::{Heading, Place, Sight, Witness, Witnesses};
