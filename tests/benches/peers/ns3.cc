// Two taps with an ns-3 network between them, in ns-3's real-time simulator:
//
//   tap ─ FdNetDevice ─ bridge ─ SimpleNetDevice ═ channel with a delay ═ … ─ FdNetDevice ─ tap
//
// Usage: ns3 TAP TAP DELAY_US. Prints "ready" once the taps are there; runs until it is killed.
//
// FdNetDevice, because Debian's TapBridge lacks its helper program; SimpleNetDevice, because a CSMA
// channel is half duplex and a point-to-point link carries no Ethernet frames.

#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <iostream>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "ns3/bridge-helper.h"
#include "ns3/core-module.h"
#include "ns3/fd-net-device-module.h"
#include "ns3/network-module.h"

using namespace ns3;

static int
OpenTap (const char *name)
{
  int fd = open ("/dev/net/tun", O_RDWR | O_CLOEXEC);
  ifreq request;
  memset (&request, 0, sizeof request);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  strncpy (request.ifr_name, name, IFNAMSIZ - 1);
  if (fd < 0 || ioctl (fd, TUNSETIFF, &request) < 0)
    {
      perror (name);
      exit (1);
    }
  return fd;
}

static void
Join (const char *tap, Ptr<Node> node, Ptr<NetDevice> link)
{
  Ptr<FdNetDevice> outside = CreateObject<FdNetDevice> ();
  outside->SetAddress (Mac48Address::Allocate ());
  outside->SetAttribute ("RxQueueSize", UintegerValue (10000));
  node->AddDevice (outside);
  outside->SetFileDescriptor (OpenTap (tap));
  NetDeviceContainer ports;
  ports.Add (outside);
  ports.Add (link);
  BridgeHelper ().Install (node, ports);
}

int
main (int argc, char **argv)
{
  if (argc != 4)
    {
      std::cerr << "usage: ns3 TAP TAP DELAY_US" << std::endl;
      return 2;
    }
  GlobalValue::Bind ("SimulatorImplementationType", StringValue ("ns3::RealtimeSimulatorImpl"));
  NodeContainer nodes (2);
  SimpleNetDeviceHelper wire;
  wire.SetChannelAttribute ("Delay", TimeValue (MicroSeconds (atol (argv[3]))));
  NetDeviceContainer ends = wire.Install (nodes);
  Join (argv[1], nodes.Get (0), ends.Get (0));
  Join (argv[2], nodes.Get (1), ends.Get (1));
  std::cout << "ready" << std::endl;
  Simulator::Run ();
  Simulator::Destroy ();
  return 0;
}
