//! One connection over Wi-Fi at a time, with addresses of IPv4 by DHCP, and names by DNS.
use core::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use esp_hal::{
    peripherals::WIFI,
    rng::Rng,
    time::{Duration, Instant},
};
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config, Interface as Radio, WifiController, WifiRxToken, WifiTxToken,
    sta::StationConfig,
};
use smoltcp::{
    iface::{Config as Addressing, Interface, SocketHandle, SocketSet, SocketStorage},
    phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken},
    socket::{dhcpv4, dns, tcp},
    time::Instant as Moment,
    wire::{DnsQueryType, EthernetAddress, HardwareAddress, IpAddress, IpCidr},
};

use crate::nap;

const CLOSED: i32 = 0;
const FAILED: i32 = -1;
const LATE: i32 = -2;
const STEP_MS: u32 = 2;

struct Link(Radio);
struct Rx(WifiRxToken);
struct Tx(WifiTxToken);

impl RxToken for Rx {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        self.0.consume_token(|b| f(b))
    }
}

impl TxToken for Tx {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        self.0.consume_token(len, f)
    }
}

impl Device for Link {
    type RxToken<'a> = Rx;
    type TxToken<'a> = Tx;

    fn receive(&mut self, _: Moment) -> Option<(Rx, Tx)> {
        self.0.receive().map(|(rx, tx)| (Rx(rx), Tx(tx)))
    }

    fn transmit(&mut self, _: Moment) -> Option<Tx> {
        self.0.transmit().map(Tx)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut is = DeviceCapabilities::default();
        is.medium = Medium::Ethernet;
        is.max_transmission_unit = 1514;
        is
    }
}

fn moment() -> Moment {
    Moment::from_micros(Instant::now().duration_since_epoch().as_micros() as i64)
}

fn after(ms: u32) -> Instant {
    Instant::now() + Duration::from_millis(ms.into())
}

/// Runs a future until it ends, or it is late.
fn until<T>(future: impl Future<Output = T>, late: Instant) -> Option<T> {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(v) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Some(v);
        }
        if Instant::now() > late {
            return None;
        }
        nap(10);
    }
}

pub struct Net {
    wifi: WifiController<'static>,
    link: Link,
    interface: Interface,
    sockets: SocketSet<'static>,
    dhcp: SocketHandle,
    dns: SocketHandle,
    tcp: SocketHandle,
    joins: bool,
}

impl Net {
    /// Switches the radio on.
    pub fn new(radio: WIFI<'static>) -> Self {
        static mut SOCKETS: [SocketStorage; 3] = [SocketStorage::EMPTY; 3];
        static mut QUERIES: [Option<dns::DnsQuery>; 1] = [None];
        static mut RX: [u8; 8192] = [0; 8192];
        static mut TX: [u8; 4096] = [0; 4096];
        let wifi = WifiController::new(radio, Default::default()).expect("the radio starts");
        let mut link = Link(Radio::station());
        let mac = HardwareAddress::Ethernet(EthernetAddress(link.0.mac_address()));
        let mut addressing = Addressing::new(mac);
        let rng = Rng::new();
        addressing.random_seed = u64::from(rng.random()) << 32 | u64::from(rng.random());
        let interface = Interface::new(addressing, &mut link, moment());
        // SAFETY: this runs once: there is one WIFI.
        let (storage, queries, rx, tx) = unsafe {
            (
                &mut *(&raw mut SOCKETS),
                &mut *(&raw mut QUERIES),
                &mut *(&raw mut RX),
                &mut *(&raw mut TX),
            )
        };
        let mut sockets = SocketSet::new(&mut storage[..]);
        let dhcp = sockets.add(dhcpv4::Socket::new());
        let dns = sockets.add(dns::Socket::new(&[], &mut queries[..]));
        let tcp = sockets.add(tcp::Socket::new(
            tcp::SocketBuffer::new(&mut rx[..]),
            tcp::SocketBuffer::new(&mut tx[..]),
        ));
        Net {
            wifi,
            link,
            interface,
            sockets,
            dhcp,
            dns,
            tcp,
            joins: false,
        }
    }

    /// Takes what has come, and sends what waits.
    fn poll(&mut self) {
        self.interface.poll(moment(), &mut self.link, &mut self.sockets);
        match self.sockets.get_mut::<dhcpv4::Socket>(self.dhcp).poll() {
            Some(dhcpv4::Event::Configured(given)) => {
                self.interface.update_ip_addrs(|all| {
                    all.clear();
                    let _ = all.push(IpCidr::Ipv4(given.address)); // there is room for one
                });
                if let Some(router) = given.router {
                    let _ = self.interface.routes_mut().add_default_ipv4_route(router);
                }
                let mut servers = [IpAddress::v4(0, 0, 0, 0); 1];
                let n = given.dns_servers.len().min(1);
                for (to, from) in servers.iter_mut().zip(&given.dns_servers) {
                    *to = IpAddress::Ipv4(*from);
                }
                self.sockets
                    .get_mut::<dns::Socket>(self.dns)
                    .update_servers(&servers[..n]);
            }
            Some(dhcpv4::Event::Deconfigured) => self.interface.update_ip_addrs(|all| all.clear()),
            None => {}
        }
    }

    /// Polls until something is so, or it is late.
    fn until(&mut self, late: Instant, mut so: impl FnMut(&mut Self) -> bool) -> bool {
        loop {
            self.poll();
            if so(self) {
                return true;
            }
            if Instant::now() > late {
                return false;
            }
            nap(STEP_MS);
        }
    }

    /// Joins the network that was named, again if need be, and gets an address.
    fn connect(&mut self, late: Instant) -> bool {
        while self.joins && !self.wifi.is_connected() {
            if Instant::now() > late {
                return false;
            }
            match until(self.wifi.connect_async(), late) {
                Some(Ok(_)) => self.sockets.get_mut::<dhcpv4::Socket>(self.dhcp).reset(),
                Some(Err(_)) => nap(500),
                None => return false,
            }
        }
        self.joins && self.until(late, |net| net.interface.ipv4_addr().is_some())
    }

    pub fn join(&mut self, ssid: &str, password: &str, within_ms: u32) -> bool {
        let late = after(within_ms);
        self.joins = false;
        let how = match password.is_empty() {
            true => Some(AuthenticationMethodConfig::Open),
            false => password.try_into().ok().map(AuthenticationMethodConfig::Wpa2Personal),
        };
        let (Ok(ssid), Some(how)) = (ssid.try_into(), how) else {
            return false; // too long
        };
        if self.wifi.is_connected() {
            let _ = until(self.wifi.disconnect_async(), after(5000));
        }
        let station = StationConfig::default().with_ssid(ssid).with_authentication(how);
        self.joins = self.wifi.set_config(&Config::Station(station)).is_ok();
        within_ms > 0 && self.connect(late)
    }

    fn resolve(&mut self, host: &str, late: Instant) -> Option<IpAddress> {
        if let Ok(address) = host.parse::<core::net::Ipv4Addr>() {
            return Some(IpAddress::Ipv4(address));
        }
        let socket = self.sockets.get_mut::<dns::Socket>(self.dns);
        let query = socket
            .start_query(self.interface.context(), host, DnsQueryType::A)
            .ok()?;
        let mut found = None;
        let ended = self.until(late, |net| {
            match net.sockets.get_mut::<dns::Socket>(net.dns).get_query_result(query) {
                Ok(all) => {
                    found = all.first().copied();
                    true
                }
                Err(dns::GetQueryResultError::Pending) => false,
                Err(_) => true,
            }
        });
        if !ended {
            self.sockets.get_mut::<dns::Socket>(self.dns).cancel_query(query);
        }
        found
    }

    pub fn dial(&mut self, host: &str, port: u16, wait_ms: u32) -> bool {
        let late = after(wait_ms);
        self.hang_up();
        if !self.connect(late) {
            return false;
        }
        let Some(address) = self.resolve(host, late) else {
            return false;
        };
        let from = 49152 + (Rng::new().random() % 16384) as u16;
        let socket = self.sockets.get_mut::<tcp::Socket>(self.tcp);
        socket.set_timeout(Some(smoltcp::time::Duration::from_secs(30)));
        socket.set_nagle_enabled(false);
        if socket.connect(self.interface.context(), (address, port), from).is_err() {
            return false;
        }
        self.until(late, |net| {
            let socket = net.sockets.get::<tcp::Socket>(net.tcp);
            socket.may_send() || !socket.is_open()
        }) && self.sockets.get::<tcp::Socket>(self.tcp).may_send()
    }

    pub fn recv(&mut self, b: &mut [u8], wait_ms: u32) -> i32 {
        let mut got = LATE;
        self.until(after(wait_ms), |net| {
            let socket = net.sockets.get_mut::<tcp::Socket>(net.tcp);
            if socket.can_recv() {
                got = socket.recv_slice(b).map_or(FAILED, |n| n as i32);
            } else if !socket.may_recv() {
                got = CLOSED;
            }
            got != LATE
        });
        self.poll(); // tells the server that there is room
        got
    }

    pub fn send(&mut self, b: &[u8], wait_ms: u32) -> i32 {
        let mut sent = LATE;
        self.until(after(wait_ms), |net| {
            let socket = net.sockets.get_mut::<tcp::Socket>(net.tcp);
            if socket.can_send() {
                sent = socket.send_slice(b).map_or(FAILED, |n| n as i32);
            } else if !socket.may_send() {
                sent = FAILED;
            }
            sent != LATE
        });
        self.poll();
        sent
    }

    pub fn hang_up(&mut self) {
        self.sockets.get_mut::<tcp::Socket>(self.tcp).close();
        self.until(after(200), |net| !net.sockets.get::<tcp::Socket>(net.tcp).is_open());
        self.sockets.get_mut::<tcp::Socket>(self.tcp).abort();
        self.poll();
    }
}
