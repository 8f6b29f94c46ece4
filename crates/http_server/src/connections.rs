//! Limits a server's open connections, in total and per address. When another one arrives at the
//! limit, an idle connection is closed: the oldest of the address that has the most. A request in
//! progress is never cut off. A caller who holds idle connections open therefore cannot lock others
//! out.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::dev::{Extensions, ServiceRequest};
use nix::sys::resource::{Resource, getrlimit};

/// Maximum number of connections of a server, however many files the process may open.
const TOGETHER_MAX: usize = 4096;
/// Minimum, however few files it may open.
const TOGETHER_MIN: usize = 32;
/// Files that a process needs for other purposes.
const OTHER_FILES: usize = 128;
/// Servers that one process may run, times the handles per connection.
const SHARES: usize = 4 * 2;

/// The open connections of one server; cheap to clone.
#[derive(Debug, Clone)]
pub struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    together: usize,
    per_address: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    count: usize,
    by_address: HashMap<IpAddr, BTreeMap<u64, Entry>>,
}

#[derive(Debug)]
struct Entry {
    /// A second handle of the connection, used to close it.
    stream: TcpStream,
    under_way: Arc<AtomicUsize>,
}

/// A connection's entry in the list of open ones, stored with the connection and removed when it
/// ends.
#[derive(Debug)]
pub struct Connection {
    connections: Connections,
    address: IpAddr,
    number: u64,
    under_way: Arc<AtomicUsize>,
}

/// A request in progress on its connection; it ends when this is dropped.
#[derive(Debug)]
pub struct UnderWay(Arc<AtomicUsize>);

impl Connections {
    /// Derives the limits from the number of files that the process may open.
    pub fn by_open_files() -> Self {
        let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft);
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        let together = files.saturating_sub(OTHER_FILES) / SHARES;
        let together = together.clamp(TOGETHER_MIN, TOGETHER_MAX);
        Self::new(together, together / 2)
    }

    /// Limits the connections in total and per address.
    pub fn new(together: usize, per_address: usize) -> Self {
        Self(Arc::new(Inner {
            together,
            per_address,
            open: Mutex::default(),
        }))
    }

    /// Registers a connection. Call it when a server accepts one.
    pub fn accepted(&self, io: &dyn Any, data: &mut Extensions) {
        let Some(stream) = io.downcast_ref::<actix_web::rt::net::TcpStream>() else {
            return;
        };
        let Ok(peer) = stream.peer_addr() else {
            return;
        };
        let Ok(handle) = stream.as_fd().try_clone_to_owned() else {
            // No file is left to register it with: it can still be served.
            return;
        };
        if let Some(connection) = self.admit(network(peer.ip()), handle.into()) {
            data.insert(connection);
        }
    }

    fn admit(&self, address: IpAddr, stream: TcpStream) -> Option<Connection> {
        let mut open = self.lock();
        let same = open.by_address.get(&address).map_or(0, BTreeMap::len);
        let has_room = if same >= self.0.per_address {
            open.evict(address)
        } else if open.count >= self.0.together {
            let most = open.by_address.iter().max_by_key(|(_, all)| all.len());
            most.map(|(address, _)| *address)
                .is_some_and(|address| open.evict(address))
        } else {
            true
        };
        if !has_room {
            drop(open);
            end(&stream);
            return None;
        }
        let number = open.next;
        open.next += 1;
        open.count += 1;
        let under_way = Arc::new(AtomicUsize::new(0));
        let entry = Entry {
            stream,
            under_way: under_way.clone(),
        };
        open.by_address
            .entry(address)
            .or_default()
            .insert(number, entry);
        Some(Connection {
            connections: self.clone(),
            address,
            number,
            under_way,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes the oldest idle connection of an address; returns false if all of them are busy.
    fn evict(&mut self, address: IpAddr) -> bool {
        let Some(all) = self.by_address.get(&address) else {
            return false;
        };
        let idle = all
            .iter()
            .find(|(_, entry)| entry.under_way.load(Ordering::Relaxed) == 0)
            .map(|(number, _)| *number);
        idle.and_then(|number| self.remove(address, number))
            .is_some_and(|entry| {
                end(&entry.stream);
                true
            })
    }

    fn remove(&mut self, address: IpAddr, number: u64) -> Option<Entry> {
        let all = self.by_address.get_mut(&address)?;
        let entry = all.remove(&number)?;
        if all.is_empty() {
            self.by_address.remove(&address);
        }
        self.count -= 1;
        Some(entry)
    }
}

/// The server's own handle then reads the end of the stream and closes the connection.
fn end(stream: &TcpStream) {
    if let Err(error) = stream.shutdown(Shutdown::Both) {
        tracing::trace!(%error, "a connection had already ended");
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let removed = self.connections.lock().remove(self.address, self.number);
        drop(removed);
    }
}

impl UnderWay {
    /// Marks the connection of a request as busy.
    pub fn of(request: &ServiceRequest) -> Option<Self> {
        let connection = request.conn_data::<Connection>()?;
        let under_way = connection.under_way.clone();
        under_way.fetch_add(1, Ordering::Relaxed);
        Some(Self(under_way))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The network that limits per caller apply to: the address itself, or the /64 of an IPv6 address.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _};
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;

    /// A pair of connected streams: the client's and the server's.
    fn pair(listener: &TcpListener) -> (TcpStream, TcpStream) {
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        client
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn is_open(client: &mut TcpStream) -> bool {
        match client.read(&mut [0]) {
            Ok(0) => false,
            Ok(_) => true,
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    #[test]
    fn evicts_an_idle_connection_but_not_a_busy_one() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connections = Connections::new(10, 2);
        let here = IpAddr::from([127, 0, 0, 1]);
        let (mut busy, server) = pair(&listener);
        let first = connections.admit(here, server).unwrap();
        first.under_way.fetch_add(1, Ordering::Relaxed);
        let (mut idle, server) = pair(&listener);
        let second = connections.admit(here, server).unwrap();
        let (mut new, server) = pair(&listener);
        let third = connections.admit(here, server).unwrap();
        assert!(is_open(&mut busy) && is_open(&mut new));
        assert!(!is_open(&mut idle), "the idle one was evicted");
        drop(second);
        third.under_way.fetch_add(1, Ordering::Relaxed);
        let (mut refused, server) = pair(&listener);
        assert!(connections.admit(here, server).is_none());
        assert!(!is_open(&mut refused), "all others are busy");
        let (mut other, server) = pair(&listener);
        let elsewhere = connections.admit(IpAddr::from([192, 0, 2, 1]), server);
        assert!(elsewhere.is_some() && is_open(&mut other));
        drop((first, third, elsewhere));
        let open = connections.lock();
        assert_eq!((open.count, open.by_address.len()), (0, 0));
    }

    #[test]
    fn at_the_total_limit_evicts_from_the_address_with_the_most_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connections = Connections::new(3, 3);
        let many = IpAddr::from([192, 0, 2, 1]);
        let (mut one, server) = pair(&listener);
        let kept_one = connections.admit(IpAddr::from([192, 0, 2, 2]), server);
        let held: Vec<_> = (0..2)
            .map(|_| {
                let (client, server) = pair(&listener);
                (client, connections.admit(many, server).unwrap())
            })
            .collect();
        let (mut new, server) = pair(&listener);
        let kept_new = connections.admit(IpAddr::from([192, 0, 2, 3]), server);
        assert!(kept_new.is_some() && is_open(&mut new) && is_open(&mut one));
        let mut held = held.into_iter();
        assert!(
            !is_open(&mut held.next().unwrap().0),
            "its oldest was evicted"
        );
        assert!(is_open(&mut held.next().unwrap().0));
        drop(kept_one);
    }
}
