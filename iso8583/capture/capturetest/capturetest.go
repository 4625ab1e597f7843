// SPDX-License-Identifier: Apache-2.0

// Package capturetest writes captures of made-up TCP connections, for the tests
// of those who read them.
//
// Promise: what is written is what Wireshark would have seen, checksums included.
//
// How: a Connection counts the sequence numbers; packets are plain values that a
// test may drop, repeat and shuffle before they are written.
//
// Imported by: tests of capture, dissector and cmd. Imports: gopacket.
package capturetest

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// Packet is one packet of a capture.
type Packet struct {
	At   time.Time
	Data []byte
}

// Connection is a TCP connection between two ends.
type Connection struct {
	ends [2]netip.AddrPort
	seq  [2]uint32
	now  time.Time
	Err  error // the first packet that could not be made
}

// Start is when the captures begin.
func Start() time.Time { return time.Date(2026, 11, 23, 4, 21, 7, 0, time.UTC) }

// New makes a connection; the first end opens it.
func New(from, to string) (*Connection, []Packet) {
	c := &Connection{ends: [2]netip.AddrPort{netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)}, seq: [2]uint32{1000, 0xFFFFFF00}, now: Start()}
	open := []Packet{c.packet(0, nil, true), c.packet(1, nil, true), c.packet(0, nil, false)}
	return c, open
}

// Wait lets time go by.
func (c *Connection) Wait(d time.Duration) { c.now = c.now.Add(d) }

// Send makes the packet in which an end, 0 or 1, sends bytes.
func (c *Connection) Send(end int, data []byte) Packet { return c.packet(end, data, false) }

func (c *Connection) packet(end int, data []byte, syn bool) Packet {
	from, to := c.ends[end], c.ends[1-end]
	ethernet := &layers.Ethernet{SrcMAC: []byte{2, 0, 0, 0, 0, byte(1 + end)}, DstMAC: []byte{2, 0, 0, 0, 0, byte(2 - end)}, EthernetType: layers.EthernetTypeIPv4}
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: from.Addr().AsSlice(), DstIP: to.Addr().AsSlice()}
	tcp := &layers.TCP{SrcPort: layers.TCPPort(from.Port()), DstPort: layers.TCPPort(to.Port()), Seq: c.seq[end], Ack: c.seq[1-end], ACK: true, PSH: len(data) > 0, SYN: syn, Window: 65535}
	if syn && end == 0 {
		tcp.ACK = false
	}
	c.seq[end] += uint32(len(data))
	if syn {
		c.seq[end]++
	}
	buf := gopacket.NewSerializeBuffer()
	err := tcp.SetNetworkLayerForChecksum(ip)
	if err == nil {
		err = gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ethernet, ip, tcp, gopacket.Payload(data))
	}
	if err != nil && c.Err == nil {
		c.Err = err
	}
	return Packet{c.now, bytes.Clone(buf.Bytes())}
}

// Pcap writes packets as a pcap file.
func Pcap(packets []Packet) ([]byte, error) {
	var out bytes.Buffer
	w := pcapgo.NewWriterNanos(&out)
	if err := w.WriteFileHeader(1<<16, layers.LinkTypeEthernet); err != nil {
		return nil, err
	}
	for _, p := range packets {
		if err := w.WritePacket(info(p), p.Data); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// PcapNG writes packets as a pcapng file.
func PcapNG(packets []Packet) ([]byte, error) {
	var out bytes.Buffer
	w, err := pcapgo.NewNgWriter(&out, layers.LinkTypeEthernet)
	if err != nil {
		return nil, err
	}
	for _, p := range packets {
		if err := w.WritePacket(info(p), p.Data); err != nil {
			return nil, err
		}
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func info(p Packet) gopacket.CaptureInfo {
	return gopacket.CaptureInfo{Timestamp: p.At, CaptureLength: len(p.Data), Length: len(p.Data)}
}
