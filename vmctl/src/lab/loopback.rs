//! The loopback interface of a namespace: down when the namespace is made, and up where QEMU listens.

use std::io;

use rtnetlink::LinkUnspec;

/// Index of `lo` in every namespace (LOOPBACK_IFINDEX of include/net/net_namespace.h).
const LOOPBACK: u32 = 1;

/// Sets up `lo` of the calling thread's network namespace.
///
/// Blocks, and drives a runtime of its own: call it inside [`super::NetNs::run`].
///
/// # Errors
/// As the kernel's answer; without CAP_NET_ADMIN.
pub fn raise_loopback() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let (connection, netlink, _) = rtnetlink::new_connection()?;
        let driver = tokio::spawn(connection);
        let wanted = LinkUnspec::new_with_index(LOOPBACK).up().build();
        let raised = netlink.link().set(wanted).execute().await;
        driver.abort();
        raised.map_err(|error| match error {
            rtnetlink::Error::NetlinkError(message) => message.to_io(),
            other => io::Error::other(other),
        })
    })
}
