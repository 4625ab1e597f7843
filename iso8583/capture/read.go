// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/gopacket/gopacket/reassembly"
)

// MaxBytes bounds the stream bytes that are kept, maxPackets the packets read:
// a day of a small switch. Cut a larger capture with editcap.
const (
	MaxBytes   = 256 << 20
	maxPackets = 20_000_000
)

// The errors of Read, beside those of the reader itself.
var (
	ErrNoCapture = errors.New("capture: neither pcap nor pcapng")
	ErrTooLarge  = errors.New("capture: more than is kept in memory: cut the capture, for example with editcap -c")
	ErrBroken    = errors.New("capture: a packet record is broken")
)

// Capture is what was read.
type Capture struct {
	Packets       int
	Other         int // packets without TCP: other protocols, fragments, broken ones
	Conversations []*Conversation
	Broken        error // why reading ended before the end of the file; nil when it did not
	kept          int
}

// Conversation is one TCP connection.
type Conversation struct {
	Ends    [2]string   // address and port; the first is that of the first packet seen
	streams [2][]stream // what each end sent, in pieces between gaps
	capture *Capture
}

// stream is bytes without a gap.
type stream struct {
	data  []byte
	marks []mark
}

// mark says when the bytes from offset on could be read.
type mark struct {
	offset int
	at     time.Time
	packet int
}

// packetReader is what pcap and pcapng readers have in common.
type packetReader interface {
	ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
}

// IsCapture says whether p begins as a capture file does.
func IsCapture(p []byte) bool {
	if len(p) < 4 {
		return false
	}
	switch binary.BigEndian.Uint32(p) {
	case 0xA1B2C3D4, 0xD4C3B2A1, 0xA1B23C4D, 0x4D3CB2A1, 0x0A0D0D0A:
		return true
	}
	return false
}

func open(r io.Reader) (packetReader, layers.LinkType, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	magic, err := b.Peek(4)
	if err != nil || !IsCapture(magic) {
		return nil, 0, ErrNoCapture
	}
	if magic[0] == 0x0A {
		ng, err := pcapgo.NewNgReader(b, pcapgo.NgReaderOptions{WantMixedLinkType: true, SkipUnknownVersion: true})
		if err != nil {
			return nil, 0, ErrBroken
		}
		return ng, 0, nil
	}
	old, err := pcapgo.NewReader(b)
	if err != nil {
		return nil, 0, ErrBroken
	}
	return old, old.LinkType(), nil
}

// Read reads a capture to its end, or to its first broken record.
func Read(r io.Reader) (*Capture, error) {
	packets, link, err := open(r)
	if err != nil {
		return nil, err
	}
	c := &Capture{}
	pool := reassembly.NewStreamPool(c)
	assembler := reassembly.NewAssembler(pool)
	assembler.MaxBufferedPagesPerConnection, assembler.MaxBufferedPagesTotal = 256, 1<<14
	for {
		data, info, err := packets.ReadPacketData()
		if err != nil {
			if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				c.Broken = fmt.Errorf("%w: number %d", ErrBroken, c.Packets+1)
			}
			break
		}
		c.Packets++
		c.assemble(assembler, data, info, link)
		if c.kept > MaxBytes || c.Packets > maxPackets {
			return nil, ErrTooLarge
		}
	}
	assembler.FlushAll()
	return c, nil
}

// at is the packet that is being put in.
type at struct {
	info   gopacket.CaptureInfo
	packet int
}

// GetCaptureInfo is asked by the assembler.
func (a *at) GetCaptureInfo() gopacket.CaptureInfo { return a.info }

func (c *Capture) assemble(assembler *reassembly.Assembler, data []byte, info gopacket.CaptureInfo, link layers.LinkType) {
	if len(info.AncillaryData) > 0 {
		if own, ok := info.AncillaryData[0].(layers.LinkType); ok {
			link = own
		}
	}
	packet := gopacket.NewPacket(data, link, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	tcp, ok := packet.Layer(layers.LayerTypeTCP).(*layers.TCP)
	network := packet.NetworkLayer()
	if !ok || network == nil {
		c.Other++
		return
	}
	assembler.AssembleWithContext(network.NetworkFlow(), tcp, &at{info, c.Packets})
}

// New makes the conversation of a connection; the assembler calls it.
func (c *Capture) New(network, transport gopacket.Flow, _ *layers.TCP, _ reassembly.AssemblerContext) reassembly.Stream {
	from, to := network.Endpoints()
	fromPort, toPort := transport.Endpoints()
	v := &Conversation{Ends: [2]string{address(from, fromPort), address(to, toPort)}, capture: c}
	c.Conversations = append(c.Conversations, v)
	return v
}

func address(host, port gopacket.Endpoint) string {
	if host.EndpointType() == layers.EndpointIPv6 {
		return "[" + host.String() + "]:" + port.String()
	}
	return host.String() + ":" + port.String()
}

// Accept takes every packet, and starts in the middle when the capture does.
func (v *Conversation) Accept(_ *layers.TCP, _ gopacket.CaptureInfo, _ reassembly.TCPFlowDirection, next reassembly.Sequence, start *bool, _ reassembly.AssemblerContext) bool {
	if next < 0 {
		*start = true
	}
	return true
}

// ReassembledSG keeps bytes that are in order.
func (v *Conversation) ReassembledSG(sg reassembly.ScatterGather, ac reassembly.AssemblerContext) {
	n, _ := sg.Lengths()
	direction, _, _, skip := sg.Info()
	if n == 0 {
		return
	}
	side := 0
	if direction == reassembly.TCPDirServerToClient {
		side = 1
	}
	pieces := v.streams[side]
	if len(pieces) == 0 || skip != 0 && len(pieces[len(pieces)-1].data) > 0 {
		pieces = append(pieces, stream{})
	}
	last := &pieces[len(pieces)-1]
	m := mark{offset: len(last.data), at: sg.CaptureInfo(0).Timestamp}
	if now, ok := ac.(*at); ok && now != nil {
		m.at, m.packet = now.info.Timestamp, now.packet
	}
	last.marks = append(last.marks, m)
	last.data = append(last.data, sg.Fetch(n)...)
	v.streams[side] = pieces
	v.capture.kept += n
}

// ReassemblyComplete lets the connection go; what it sent is kept.
func (v *Conversation) ReassemblyComplete(reassembly.AssemblerContext) bool { return true }
