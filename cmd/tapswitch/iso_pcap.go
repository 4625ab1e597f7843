// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tapswitch/iso8583"
	"tapswitch/iso8583/capture"
	"tapswitch/iso8583/describe"
	"tapswitch/iso8583/recognise"
)

// captured is what `pcap -o json` gives.
type captured struct {
	Packets       int               `json:"packets"`
	Other         int               `json:"packets_without_tcp"`
	Conversations int               `json:"conversations"`
	Unread        int               `json:"bytes_in_no_message"`
	Unanswered    int               `json:"unanswered"`
	Latency       *spread           `json:"latency_ms,omitempty"`
	Messages      []capturedMessage `json:"messages"`
	Broken        string            `json:"broken,omitempty"`
}

type spread struct {
	Answers  int     `json:"answers"`
	Median   float64 `json:"median"`
	Most95   float64 `json:"p95"`
	Greatest float64 `json:"max"`
}

type capturedMessage struct {
	Number  int               `json:"number"`
	Packet  int               `json:"packet"`
	At      time.Time         `json:"at"`
	From    string            `json:"from"`
	To      string            `json:"to"`
	Dialect string            `json:"dialect"`
	MTI     string            `json:"mti"`
	Summary string            `json:"summary"`
	Pair    int               `json:"pair,omitempty"` // number of the answer, or of the request
	Latency *float64          `json:"latency_ms,omitempty"`
	Broken  string            `json:"broken,omitempty"`
	Message *describe.Message `json:"message,omitempty"` // with --full
	head    recognise.Head
}

func (t *isoTools) pcapCommand() *cobra.Command {
	var format output
	var name string
	var full bool
	c := &cobra.Command{
		Use:   "pcap FILE|-",
		Short: "Show the messages of a packet capture, with the time each answer took",
		Long: "Show the messages of a packet capture, pcap or pcapng: one line a message, TCP put together, requests paired\n" +
			"with their answers and the time these took. Masked like everything else. Exit code 1 when there is none, or\n" +
			"a broken one.",
		Example: "  tapswitch iso pcap trace.pcapng\n  tcpdump -i lo -w - port 7100 | tapswitch iso pcap -\n" +
			"  tapswitch iso pcap --full -o json trace.pcap",
		Args: words(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := format.check(); err != nil {
				return err
			}
			dialects, err := t.pick(name)
			if err != nil {
				return err
			}
			read, err := openCapture(c, args[0])
			if err != nil {
				return err
			}
			return printCapture(c.OutOrStdout(), collect(read, dialects, full), format)
		},
	}
	format.add(c)
	c.Flags().StringVar(&name, "dialect", "", "look for this dialect only")
	c.Flags().BoolVar(&full, "full", false, "every field of every message")
	return c
}

func openCapture(c *cobra.Command, name string) (*capture.Capture, error) {
	in := c.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, &isoError{Code: "ISO-101", What: "the capture cannot be read", Why: ioReason(err), Fix: "check name and rights"}
		}
		defer f.Close()
		in = f
	}
	read, err := capture.Read(in)
	if err != nil {
		e := &isoError{Code: "ISO-130", What: "the capture cannot be read", Why: err.Error(), Fix: "give a pcap or pcapng file, as tcpdump -w and Wireshark write them"}
		if errors.Is(err, capture.ErrTooLarge) {
			e.Fix = "cut it, for example with editcap -c 1000000"
		}
		return nil, e
	}
	return read, nil
}

// collect turns messages into what is shown of them.
func collect(read *capture.Capture, dialects []recognise.Dialect, full bool) captured {
	all, unread := read.Messages(dialects)
	out := captured{Packets: read.Packets, Other: read.Other, Conversations: len(read.Conversations), Unread: unread, Messages: []capturedMessage{}}
	if read.Broken != nil {
		out.Broken = read.Broken.Error()
	}
	number := make(map[*capture.Message]int, len(all))
	for i, m := range all {
		number[m] = i + 1
	}
	var latencies []float64
	for i, m := range all {
		var v iso8583.View
		d := describe.Of(&v, m.Dialect.Layout.Parse(m.Body, &v))
		x := capturedMessage{Number: i + 1, Packet: m.Packet, At: m.At, From: m.From, To: m.To, Dialect: m.Dialect.Name, MTI: d.MTI, Summary: d.Summary(), head: m.Head}
		if m.Pair != nil {
			x.Pair = number[m.Pair]
			if m.Answer() {
				ms := float64(m.Pair.Latency().Microseconds()) / 1000
				x.Latency = &ms
				latencies = append(latencies, ms)
			}
		} else if !m.Answer() && m.Failure == nil {
			out.Unanswered++
		}
		if m.Failure != nil {
			x.Broken = fmt.Sprintf("byte %d: %s", m.Stop(), describe.Expected(m.Failure))
		}
		if full {
			x.Message = &d
		}
		out.Messages = append(out.Messages, x)
	}
	out.Latency = spreadOf(latencies)
	return out
}

func spreadOf(ms []float64) *spread {
	if len(ms) == 0 {
		return nil
	}
	slices.Sort(ms)
	at := func(share float64) float64 { return ms[int(share*float64(len(ms)-1)+0.5)] }
	return &spread{len(ms), at(0.5), at(0.95), ms[len(ms)-1]}
}

func printCapture(w io.Writer, c captured, format output) error {
	if format == "json" {
		if err := printJSON(w, c); err != nil {
			return err
		}
	} else if _, err := w.Write(c.text()); err != nil {
		return err
	}
	broken := 0
	for _, m := range c.Messages {
		if m.Broken != "" {
			broken++
		}
	}
	switch {
	case len(c.Messages) == 0:
		return &isoError{Code: "ISO-131", What: fmt.Sprintf("no message in %s", count(c.Packets, "packet")), Why: fmt.Sprintf("%d connections carry %d bytes that no dialect reads", c.Conversations, c.Unread),
			Fix: "TLS cannot be read; name the dialect with --dialect; see one message with `tapswitch iso doctor`"}
	case broken > 0:
		return errors.New(count(broken, "broken message"))
	case c.Broken != "":
		return &isoError{Code: "ISO-132", What: "the capture ends in the middle", Why: c.Broken, Fix: "what is before it was shown"}
	}
	return nil
}

func (c captured) text() []byte {
	var out []byte
	var began time.Time
	for i, m := range c.Messages {
		if i == 0 {
			began = m.At
		}
		took := "-"
		switch {
		case m.Latency != nil:
			took = fmt.Sprintf("%.3f ms after %d", *m.Latency, m.Pair)
		case m.Pair != 0:
			took = fmt.Sprintf("answer is %d", m.Pair)
		}
		out = fmt.Appendf(out, "%5d  %10.6f  %s > %s  %s  %s  [%s]\n", m.Number, m.At.Sub(began).Seconds(), m.From, m.To, m.Dialect, m.Summary, took)
		if m.Broken != "" {
			out = fmt.Appendf(out, "       stops making sense at %s\n", m.Broken)
		}
		if m.Message != nil {
			out = append(m.Message.AppendTable(out, m.head.From), '\n')
		}
	}
	out = fmt.Appendf(out, "%s in %s of %s, %d unanswered, %d bytes in no message", count(len(c.Messages), "message"), count(c.Conversations, "connection"), count(c.Packets, "packet"), c.Unanswered, c.Unread)
	if l := c.Latency; l != nil {
		out = fmt.Appendf(out, "; answers took %.3f ms (median), %.3f ms (95 in 100), %.3f ms (longest)", l.Median, l.Most95, l.Greatest)
	}
	return append(out, '\n')
}
