//! From a scenario to a lab whose guests answer, step by step. A step that fails says what would
//! help; what was made until then is in [`Belongings`].

mod about;
mod serving;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, RwLock, atomic::AtomicU64},
    time::{Duration, Instant},
};

use chronotap::{
    datapath::{self, MemoryLimits, PortSettings},
    programs::StampedBy,
    sim::GuestId,
    synchronizer::Guests as _,
};
use chronotap_guest::schedule::Origin;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::{sync::mpsc, task::block_in_place};

use super::{
    attach::{self, Attachments},
    attention::Attention,
    belongings::Belongings,
    capture::Scene,
    events::Journal,
    exactness::{self, Exactness},
    fleet::Fleet,
    govern,
    guest::Prepared,
    lab::{Lab, Phase},
    leash::Announcer,
    management::Relay,
    overload,
    perturbed::{self, Perturbed},
    ready,
    seat::Terms,
    status,
};
use crate::{
    api::failure::Failure,
    cloud::Keys,
    lab::{NetNs, Tap, TapSettings},
    parts::{Part, Parts},
    qemu::{Acceleration, Binary, Images, Launch, RunAs, priority, spawn},
    scenario::{Scenario, Speed},
};

/// QEMUs that start at once. Each needs a core for a moment, and all of them together would make
/// the first ones look dead.
const STARTING_AT_ONCE: usize = 8;

/// What every guest is started with.
struct Means {
    binary: Binary,
    user: RunAs,
    acceleration: Acceleration,
    programs: Vec<u8>,
    exactness: Option<Exactness>,
    perturbed: Perturbed,
    images: Vec<Arc<Images>>,
}

/// How the lab comes up, besides what its topology says.
#[derive(Debug, Clone)]
pub struct Orders {
    /// How long guests may take to answer.
    pub timeout: Duration,
    /// Whether it stands still in the end, in mode `exact` at virtual zero.
    pub hold: bool,
    /// Where frames are written down in mode `exact`, if anywhere.
    pub journal: Option<PathBuf>,
    /// Where every frame is captured into, if anywhere.
    pub capture: Option<PathBuf>,
    /// Whether the lab's page may change it.
    pub web_control: bool,
}

/// Builds the lab and waits for its guests. `ends` takes the reason for which it is to end again.
///
/// # Errors
/// The first step that failed.
pub async fn boot(
    belongings: &mut Belongings,
    mut scenario: Scenario,
    orders: &Orders,
    announcer: &Announcer,
    ends: mpsc::Sender<String>,
) -> Result<Arc<Lab>, Failure> {
    announcer.step("looking for QEMU and the built parts");
    let means = gather(&mut scenario, announcer).await?;
    announcer.step(format!("making the network of {} guests", scenario.guests.len()));
    let (plane, events) = build_network(belongings, &scenario, &means, orders.journal.as_deref())?;
    let begun = plane.observe(Box::default()).await.map_err(Failure::runtime)?;
    let since = Instant::now() - status::virtual_time(&begun);
    let epoch = about::epoch(&scenario, status::virtual_time(&begun));
    let about = about::about(belongings, &scenario, &means, (plane.facts().stamps, epoch));
    if let Some(path) = &orders.capture {
        let scene = Scene { about: &about, scenario: &scenario, plane: &plane };
        belongings.captures.save(scene, path).await?;
    }
    announcer.step(format!("starting {} guests", scenario.guests.len()));
    let started = start_guests(belongings, &scenario, &means).await?;
    let (guests, relays): (Vec<_>, Vec<_>) = started.into_iter().unzip();
    let fleet = Fleet::new(guests.iter().map(Prepared::parts).collect());
    let synchronizer = govern::start(&mut belongings.tasks, &scenario, &fleet, &plane, events);
    let doors = serving::open_doors(belongings, &scenario, orders, announcer).await?;
    let lab = Arc::new(Lab {
        about: doors.told(about),
        web: doors.page.clone(),
        seats: guests.iter().map(|guest| guest.seat.clone()).collect(),
        journal: Arc::new(Journal::of(since, &plane, &synchronizer)),
        first_pings: OnceLock::new(),
        dir: belongings.dir.path().to_owned(),
        names: Arc::new(serving::names(&scenario)),
        perturbed: means.perturbed.clone(),
        ears: guests.iter().flat_map(|guest| guest.ears.clone()).collect(),
        datapath: plane,
        captures: belongings.captures.clone(),
        synchronizer,
        fleet,
        schedules: RwLock::new(scenario.schedules()),
        scenario: RwLock::new(scenario),
        since,
        phase: Mutex::new(Phase::Booting),
        ends,
        changing: tokio::sync::Mutex::new(()),
        watches: AtomicU64::new(0),
    });
    if means.exactness.is_some() {
        belongings.tasks.spawn(perturbed::watch(lab.perturbed.clone(), lab.journal.clone()));
    }
    let overloads = overload::watch(lab.synchronizer.tallies(), lab.journal.clone());
    belongings.tasks.spawn(overloads);
    belongings.tasks.spawn(overload::watch_overruns(lab.clone()));
    serving::serve(belongings, &lab, doors)?;
    attach::serve(belongings, &lab, relays);
    set_off(belongings, &lab, guests, orders.hold).await?;
    come_up(belongings, &lab, orders, announcer).await?;
    lab.enter(Phase::Up);
    lab.journal.record(format!("the lab is up: {} guests", lab.seats.len()));
    Ok(lab)
}

/// Waits for the guests, if they can come to anything by themselves.
async fn come_up(
    belongings: &Belongings,
    lab: &Arc<Lab>,
    orders: &Orders,
    announcer: &Announcer,
) -> Result<(), Failure> {
    let exact = lab.scenario().time.exact().is_some();
    if exact && orders.hold {
        return Ok(());
    }
    ready::wait(lab, belongings.dir.path(), orders.timeout, announcer).await?;
    if lab.scenario().time.exact().is_some_and(|exact| exact.speed == Speed::Max) {
        announcer.note(
            "virtual time goes as fast as this host can: with `speed = \"1x\"` in [time] it keeps to \
             the host's",
        );
    }
    govern::after_boot(lab, announcer).await?;
    if orders.hold {
        return lab.pause().await.map(drop);
    }
    if !exact {
        // In mode `exact` what comes from outside would make the run another one.
        announcer.step("first pings");
        ready::ping_all(lab).await;
    }
    Ok(())
}

/// Attends to the guests from now on, and lets them run: all at once, or in windows. In a lab that
/// is to hold, their ends are for whoever lets time pass.
async fn set_off(
    belongings: &mut Belongings,
    lab: &Lab,
    guests: Vec<Prepared>,
    hold: bool,
) -> Result<(), Failure> {
    let exact = lab.scenario().time.exact().is_some();
    let ends = if hold { mpsc::channel(1).0 } else { lab.ends.clone() };
    for (guest, id) in guests.into_iter().zip((0..).map(GuestId)) {
        let (life, plane) = (guest.live(lab.journal.clone(), ends.clone()), lab.datapath.clone());
        belongings.tasks.spawn(async move {
            life.await;
            if exact && let Err(error) = plane.retire(id) {
                tracing::debug!(%error, "nobody is left to tell that a guest has ended");
            }
        });
    }
    if govern::begins_in_windows(&lab.scenario()) {
        return govern::enter(&lab.synchronizer, exact && hold).await;
    }
    let started = lab.fleet.resume_all().await;
    started.map_err(|error| Failure::runtime(format!("guests do not start: {error}")))
}

async fn gather(scenario: &mut Scenario, announcer: &Announcer) -> Result<Means, Failure> {
    let parts = Parts::locate();
    let object = parts.path(Part::Programs)?;
    let programs = fs::read(&object)
        .map_err(|error| Failure::runtime(format!("cannot read {}: {error}", object.display())))?;
    let user = RunAs::choose();
    let images = attach::open_images(scenario, &parts, &user)?;
    let binary = Binary::find().await?;
    let acceleration = exactness::acceleration(scenario, &binary, &user).await;
    announcer.note(format!("QEMU {}: {}", binary.version(), acceleration.remark));
    let host = exactness::Host { binary: &binary, user: &user, accel: acceleration.accel };
    let settled = exactness::settle(scenario, &host, &parts, &programs).await?;
    settled.into_iter().for_each(|remark| announcer.note(remark));
    let exactness = Exactness::of(scenario, &parts)?;
    let perturbed = Perturbed::default();
    if let Some(turns) = exactness::turns_of_processors(scenario) {
        perturbed.record(|| turns);
    }
    Ok(Means { binary, user, acceleration, programs, exactness, perturbed, images })
}

type Plane = (datapath::Datapath, mpsc::Receiver<datapath::Event>);

/// Namespace, taps, programs, sockets, scheduler.
fn build_network(
    belongings: &mut Belongings,
    scenario: &Scenario,
    means: &Means,
    journal: Option<&Path>,
) -> Result<Plane, Failure> {
    let netns = block_in_place(|| NetNs::create(&belongings.dir.netns()))?;
    let netns = belongings.netns.insert(netns);
    let settings: Vec<TapSettings> = tap_settings(scenario).collect();
    belongings.taps = block_in_place(|| netns.run(|| Tap::create_all(&settings)))?
        .map_err(crate::lab::LabError::from)?;
    let stamped_by = match means.exactness {
        Some(_) => StampedBy::Sender,
        None => StampedBy::Kernel,
    };
    let exact = means.exactness.as_ref().map(|exactness| exactness.settings(journal)).transpose();
    let owned = belongings.taps.iter().zip(&settings).zip(scenario.owners());
    let ports = owned.map(|((tap, settings), guest)| PortSettings {
        ifindex: tap.index(),
        name: tap.name().to_owned(),
        mtu: settings.mtu,
        guest,
        stamped_by,
    });
    let settings = datapath::Settings {
        ports: ports.collect(),
        plan: scenario.plan(),
        object: means.programs.clone(),
        tolerance: scenario.time.tolerance(),
        memory: match means.exactness {
            Some(_) => MemoryLimits::for_barriers(belongings.taps.len()),
            None => MemoryLimits::default(),
        },
        exact: exact.map_err(|error| Failure::runtime(format!("no journal: {error}")))?,
    };
    let (plane, events) = block_in_place(|| netns.run(|| datapath::start(settings)))??;
    belongings.datapath = Some(plane.clone());
    Ok((plane, events))
}

fn tap_settings(scenario: &Scenario) -> impl Iterator<Item = TapSettings> {
    let nics =
        scenario.guests.iter().flat_map(|guest| guest.nics.iter().map(move |nic| (guest, nic)));
    nics.map(|(guest, nic)| TapSettings {
        name: format!("tap{}", nic.port.0),
        alias: format!("{}:{}", guest.name, nic.name),
        mtu: nic.mtu,
    })
}

/// A guest, and what leads to its management network.
type Started = (Prepared, Option<Relay>);

async fn start_guests(
    belongings: &Belongings,
    scenario: &Scenario,
    means: &Means,
) -> Result<Vec<Started>, Failure> {
    let keys = block_in_place(|| attach::prepare(belongings, scenario))?;
    let begin = |index| start(belongings, scenario, means, keys.as_ref(), index);
    let starts = (0..scenario.guests.len()).map(begin);
    stream::iter(starts).buffered(STARTING_AT_ONCE).try_collect().await
}

async fn start(
    belongings: &Belongings,
    scenario: &Scenario,
    means: &Means,
    keys: Option<&Keys>,
    index: usize,
) -> Result<Started, Failure> {
    let guest = &scenario.guests[index];
    let netns = belongings.netns.as_ref().expect("the network is built before the guests");
    let directory = belongings.dir.guest(&guest.name)?;
    let taps = guest.nics.iter().map(|nic| belongings.taps[nic.port.0 as usize].descriptor());
    let taps = taps.collect::<Result<_, _>>().map_err(|error| {
        Failure::runtime(format!("no descriptor for a tap of `{}`: {error}", guest.name))
            .remedy("raise the limit of open files (`ulimit -n`)")
    })?;
    let attachments = Attachments::of(index, scenario, keys, belongings, &directory).await?;
    let launch = Launch {
        binary: &means.binary,
        user: &means.user,
        accel: means.acceleration.accel,
        lab: &scenario.name,
        netns,
        guest,
        directory: &directory,
        hosts: &scenario.hosts_of(guest),
        images: &means.images[index],
        disks: attachments.disks,
        management: attachments.management,
        taps,
        exact: means
            .exactness
            .as_ref()
            .map(|exactness| exactness.launch(index))
            .transpose()
            .map_err(|error| Failure::runtime(format!("no agent for `{}`: {error}", guest.name)))?,
    };
    let running = block_in_place(|| spawn(launch))?;
    let quiet = means.exactness.is_some();
    let origin = if quiet { Origin::Tsc } else { Origin::Boot };
    let planned = guest.schedule(origin).map_or_else(Vec::new, |schedule| schedule.runs);
    let attention = belongings.datapath.clone().filter(|_| quiet);
    let attention = attention.map(|plane| Attention::of(plane, GuestId(index as u32)));
    let attention = attention.unwrap_or_default();
    let (perturbed, ways) = (means.perturbed.clone(), attachments.ways);
    let terms = Terms { quiet, planned, perturbed, attention, ways };
    let prepared = Prepared::take_over(guest.clone(), running, &directory, terms).await?;
    prioritize(scenario, &prepared);
    Ok((prepared, attachments.relay))
}

/// QEMU has inherited the daemon's priority, which is not for it.
fn prioritize(scenario: &Scenario, guest: &Prepared) {
    let lockstep = scenario.time.lockstep().is_some();
    let nice = if lockstep { priority::IN_LOCKSTEP } else { priority::ORDINARY };
    if let Err(error) = priority::set(guest.seat.pid, nice) {
        tracing::warn!(guest = guest.seat.name(), %error, "no priority for this guest");
    }
}
