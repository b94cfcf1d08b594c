//! Captures of the lab that are under way: for clients of the control API, and into a file.
//!
//! ```text
//! data plane ═ring═▶ pump: order, pcapng ─▶ a few chunks ─▶ HTTP body, or file
//! ```
//! A reader that is slow fills its chunks, then its ring; then frames are missed. Nobody waits.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use chronotap::{
    capture::{Interface, Pcapng, Reader, Section, Settings},
    datapath::Datapath,
    sim::VirtualInstant,
};
use tokio::{
    fs::File,
    io::AsyncWriteExt as _,
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc},
};

use crate::{
    api::{
        capture::{CaptureQuery, Tally},
        failure::Failure,
        status::Lab,
    },
    scenario::Scenario,
};

/// Captures at once. Each has a ring, and copies every frame.
const AT_ONCE: u32 = 8;

/// Octets of frames that may wait to be read, per capture: a second of 100 Mbit/s.
const ROOM: usize = 16 << 20;

/// How often a ring is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Octets of a chunk, about, and chunks that wait for who reads them.
const CHUNK: usize = 64 << 10;
const CHUNKS: usize = 4;

/// How long a lab that goes down waits for who reads its last frames.
const FAREWELL: Duration = Duration::from_secs(2);

/// Those that are under way.
#[derive(Debug)]
pub struct Captures {
    permits: Arc<Semaphore>,
    numbers: AtomicU64,
    /// By number: ends it.
    stops: Mutex<BTreeMap<u64, Arc<Notify>>>,
    /// What is to be said of those that wrote files.
    said: Mutex<Vec<String>>,
}

impl Default for Captures {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_ONCE as usize)),
            numbers: AtomicU64::new(1),
            stops: Mutex::default(),
            said: Mutex::default(),
        }
    }
}

/// What is captured of, and where it begins.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// What the lab is.
    pub about: &'a Lab,
    /// Its places.
    pub scenario: &'a Scenario,
    /// What sees frames.
    pub plane: &'a Datapath,
}

impl Captures {
    /// Begins a capture. Returns its number, and where its chunks of pcapng come.
    ///
    /// # Errors
    /// Usage, not found; too many are under way; the data plane does not answer.
    pub async fn open(
        self: &Arc<Self>,
        scene: Scene<'_>,
        query: &CaptureQuery,
    ) -> Result<(u64, mpsc::Receiver<Bytes>), Failure> {
        let pump = self.pump(scene, query).await?;
        let number = pump.number;
        let (chunks, read) = mpsc::channel(CHUNKS);
        tokio::spawn(async move {
            let tally = pump.run(chunks).await;
            tracing::debug!(number, ?tally, "a capture has ended");
        });
        Ok((number, read))
    }

    /// Captures every place into a file, until the lab goes down.
    ///
    /// # Errors
    /// As [`Captures::open`]; the file cannot be made.
    pub async fn save(self: &Arc<Self>, scene: Scene<'_>, path: &Path) -> Result<(), Failure> {
        let failed = |error| Failure::runtime(format!("cannot write {}: {error}", path.display()));
        let file = File::create(path).await.map_err(failed)?;
        let pump = self.pump(scene, &CaptureQuery { all: true, ..CaptureQuery::default() }).await?;
        let (chunks, read) = mpsc::channel(CHUNKS);
        let (path, captures) = (path.to_owned(), Arc::clone(self));
        tokio::spawn(async move {
            let (tally, written) = tokio::join!(pump.run_and(chunks), write(read, file));
            captures.say(&path, tally.0, written);
        });
        Ok(())
    }

    /// Ends a capture; false when there is none of this number.
    pub fn end(&self, number: u64) -> bool {
        let stop = self.stops().get(&number).cloned();
        stop.iter().for_each(|stop| stop.notify_one());
        stop.is_some()
    }

    /// Waits until all have ended, which they do once the data plane is gone; returns what is to be
    /// said of them.
    pub async fn finish(&self) -> Vec<String> {
        let all = tokio::time::timeout(FAREWELL, self.permits.acquire_many(AT_ONCE)).await;
        if all.is_err() {
            tracing::warn!("somebody does not read the end of a capture");
        }
        std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn pump(
        self: &Arc<Self>,
        scene: Scene<'_>,
        query: &CaptureQuery,
    ) -> Result<Pump, Failure> {
        let Scene { about, scenario, plane } = scene;
        let (points, snaplen, count) = (query.points()?, query.snaplen()?, query.count()?);
        let selection = scenario.select(&points).map_err(|unknown| {
            Failure::not_found(unknown).remedy("`vmctl status` shows all guests and links")
        })?;
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_none_left| {
            Failure::runtime(format!("{AT_ONCE} captures are under way, which is all there may be"))
                .remedy("end one of them")
        })?;
        let interfaces = scenario.interfaces(&selection);
        let pcapng = Pcapng::new(&section(about, snaplen), &interfaces);
        let pcapng = pcapng.map_err(Failure::runtime)?;
        let exact = scenario.time.exact().is_some();
        let settings = Settings { selection, snaplen, room: ROOM, exact };
        let reader = plane.capture(&settings).await.map_err(Failure::runtime)?;
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let stop = Arc::new(Notify::new());
        self.stops().insert(number, Arc::clone(&stop));
        Ok(Pump {
            captures: Arc::clone(self),
            number,
            stop,
            plane: plane.clone(),
            reader,
            pcapng,
            interfaces,
            left: count.unwrap_or(u64::MAX),
            last: VirtualInstant::ZERO,
            tally: Tally::default(),
            permit,
        })
    }

    fn stops(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Notify>>> {
        self.stops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, path: &Path, tally: Tally, written: std::io::Result<()>) {
        let text = match written {
            Ok(()) => format!("{}: {tally}", path.display()),
            Err(error) => format!("{} is not complete: {error}", path.display()),
        };
        tracing::info!("{text}");
        self.said.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }
}

fn section(about: &Lab, snaplen: u32) -> Section {
    let Lab { name, mode, seed, epoch_seconds, version, .. } = about;
    let epoch = Duration::from_secs(*epoch_seconds);
    let zero = humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + epoch);
    Section {
        comment: format!("lab {name}, mode {mode}, seed {seed}; virtual time 0 is {zero}"),
        program: format!("Chronotap {version}"),
        epoch,
        snaplen,
    }
}

/// From the ring to whoever reads.
struct Pump {
    captures: Arc<Captures>,
    number: u64,
    stop: Arc<Notify>,
    plane: Datapath,
    reader: Reader,
    pcapng: Pcapng,
    interfaces: Vec<Interface>,
    /// Frames until it has enough.
    left: u64,
    last: VirtualInstant,
    tally: Tally,
    /// Until all is written.
    permit: OwnedSemaphorePermit,
}

/// Why a capture ends early.
enum Break {
    /// Nobody reads any more.
    Unread,
    /// Records cannot be written.
    Failed(Failure),
}

impl Pump {
    async fn run(self, chunks: mpsc::Sender<Bytes>) -> Tally {
        self.run_and(chunks).await.0
    }

    /// Runs to the end; returns the permit, too, for who has to write still.
    async fn run_and(mut self, chunks: mpsc::Sender<Bytes>) -> (Tally, OwnedSemaphorePermit) {
        if let Err(Break::Failed(error)) = self.pass_on(&chunks).await {
            tracing::error!(%error, "a capture ends early");
        }
        self.captures.stops().remove(&self.number);
        self.reader.close();
        if let Err(error) = self.plane.end_captures().await {
            tracing::debug!(%error, "a data plane that is gone records nothing");
        }
        (self.tally, self.permit)
    }

    async fn pass_on(&mut self, chunks: &mpsc::Sender<Bytes>) -> Result<(), Break> {
        let mut ended = false;
        while !ended {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => ended = self.reader.is_deserted(),
                () = self.stop.notified() => ended = true,
                () = chunks.closed() => return Err(Break::Unread),
            }
            if ended {
                self.reader.end();
            } else {
                self.reader.gather();
            }
            ended |= self.write(chunks).await?;
        }
        self.tally.missed =
            self.interfaces.iter().map(|of| self.reader.count(of.place as usize).missed).sum();
        let Self { pcapng, reader, last, .. } = self;
        let finished = pcapng.finish(*last, |place| reader.count(place));
        finished.map_err(|error| Break::Failed(Failure::runtime(error)))?;
        self.send(chunks).await
    }

    /// Writes what is in order; tells whether that is enough.
    async fn write(&mut self, chunks: &mpsc::Sender<Bytes>) -> Result<bool, Break> {
        while self.left > 0
            && let Some(record) = self.reader.pop()
        {
            self.left -= 1;
            self.last = record.at;
            self.tally.frames += 1;
            self.tally.dropped += u64::from(record.dropped.is_some());
            let written = self.pcapng.record(&record);
            written.map_err(|error| Break::Failed(Failure::runtime(error)))?;
            if self.pcapng.pending() >= CHUNK {
                self.send(chunks).await?;
            }
        }
        self.send(chunks).await?;
        Ok(self.left == 0)
    }

    async fn send(&mut self, chunks: &mpsc::Sender<Bytes>) -> Result<(), Break> {
        if self.pcapng.pending() == 0 {
            return Ok(());
        }
        chunks.send(self.pcapng.take().into()).await.map_err(|_closed| Break::Unread)
    }
}

/// Writes chunks into a file as they come.
async fn write(mut chunks: mpsc::Receiver<Bytes>, mut file: File) -> std::io::Result<()> {
    while let Some(chunk) = chunks.recv().await {
        file.write_all(&chunk).await?;
        file.flush().await?;
    }
    Ok(())
}
