//! What happens to a bridge and its directory while clients go on.

use super::side::Side;
use crate::harness::{BASIC, Proxy};
use crate::world::World;
use fastrand::Rng;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A bridge in bad weather.
pub struct Storm {
    pub proxy: Arc<Proxy>,
    pub world: Arc<Mutex<World>>,
    pub side: Arc<Side>,
    fine: bool,
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Refuse,
    Stall,
    HalfOpen,
    Cut,
    LoseAnswer,
    Resume,
    Kill,
    Reload,
}

impl Storm {
    pub fn new(proxy: Proxy, world: World, side: Arc<Side>) -> Self {
        Self { proxy: Arc::new(proxy), world: Arc::new(Mutex::new(world)), side, fine: true }
    }

    /// What happens next, if anything.
    pub fn next(&mut self, random: &mut Rng, may_kill: bool) -> Option<Event> {
        let event = match random.u8(..64) {
            0..=2 if may_kill => Event::Kill,
            3 => Event::Reload,
            4..=11 if !self.fine => Event::Resume,
            12..=15 if self.fine => Event::Refuse,
            16..=18 if self.fine => Event::LoseAnswer,
            19..=20 if self.fine => Event::Cut,
            21 if self.fine && random.u8(..4) == 0 => Event::Stall,
            21 if self.fine => Event::HalfOpen,
            _ => return None,
        };
        self.fine = match event {
            Event::Refuse | Event::Stall | Event::HalfOpen => false,
            Event::Resume => true,
            _ => self.fine,
        };
        Some(event)
    }

    /// Makes it happen, after a moment.
    pub fn strike(&self, event: Event, after: Duration) -> tokio::task::JoinHandle<()> {
        let (proxy, world, side) = (Arc::clone(&self.proxy), Arc::clone(&self.world), Arc::clone(&self.side));
        tokio::task::spawn_blocking(move || {
            std::thread::sleep(after);
            match event {
                Event::Refuse => proxy.refuse(),
                Event::Stall => proxy.stall(),
                Event::HalfOpen => proxy.half_open(),
                Event::Cut => proxy.cut(),
                Event::LoseAnswer => proxy.cut_before_next_answer(),
                Event::Resume => proxy.resume(),
                Event::Reload => world.lock().unwrap().daemon.reload(),
                Event::Kill => {
                    let mut world = world.lock().unwrap();
                    world.daemon.kill();
                    world.daemon.restart();
                    side.moved(world.daemon.scim(BASIC));
                }
            }
        })
    }

    /// Fine weather, until a history begins anew.
    pub async fn calm(&mut self) {
        self.fine = true;
        self.strike(Event::Resume, Duration::ZERO).await.unwrap();
    }

    /// The log of the bridge.
    pub fn log(&self) -> String {
        self.world.lock().unwrap().daemon.log_text()
    }
}
