// SPDX-License-Identifier: Apache-2.0

package iso8583_test

import (
	"testing"

	moov "github.com/moov-io/iso8583"

	"tapswitch/iso8583"
)

// Reading and building allocate nothing, number and copied fields included.
func TestNoAllocations(t *testing.T) {
	each(t, func(t *testing.T, d dialect) {
		raw := d.build(t)
		var v iso8583.View
		var b iso8583.Builder
		out, digits := make([]byte, 0, 2*len(raw)), make([]byte, 0, 64)
		parse := func() {
			if err := d.layout.Parse(raw, &v); err != nil {
				t.Error(err)
			}
			for n := v.Next(0); n != 0; n = v.Next(n) {
				_ = v.Raw(n)
			}
			digits = v.AppendText(digits[:0], 2)
			if amount, err := v.Uint(4); err != nil || amount != 1111 {
				t.Error(amount, err)
			}
		}
		build := func() {
			d.fill(&b)
			b.SetUint(4, 1111)
			b.Copy(2, &v)
			if _, err := b.Append(out); err != nil {
				t.Error(err)
			}
		}
		if n := testing.AllocsPerRun(100, parse); n != 0 {
			t.Errorf("parse allocates %v times", n)
		}
		if n := testing.AllocsPerRun(100, build); n != 0 {
			t.Errorf("build allocates %v times", n)
		}
	})
}

// BenchmarkParse reads the dialect's message of twenty fields.
func BenchmarkParse(b *testing.B) {
	for _, d := range dialects() {
		raw := d.build(b)
		b.Run("dialect="+d.name+"/codec=tapswitch", func(b *testing.B) {
			b.ReportAllocs()
			var v iso8583.View
			for b.Loop() {
				if err := d.layout.Parse(raw, &v); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("dialect="+d.name+"/codec=moov", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := moov.NewMessage(d.spec).Unpack(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSubfields reads a message of composites of every kind and goes over
// all subfields.
func BenchmarkSubfields(b *testing.B) {
	spec := compositeSpec()
	l := compiled(b, spec)
	var build iso8583.Builder
	setParts(&build, l)
	raw := mustAppend(b, &build)
	b.Run("dialect=composites/codec=tapswitch", func(b *testing.B) {
		b.ReportAllocs()
		var v iso8583.View
		count := 0
		for b.Loop() {
			if err := l.Parse(raw, &v); err != nil {
				b.Fatal(err)
			}
			for n := v.Next(0); n != 0; n = v.Next(n) {
				for it := v.Subs(n); it.Next(); {
					count += it.Sub().Len()
				}
			}
		}
	})
	b.Run("dialect=composites/codec=moov", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := moov.NewMessage(spec).Unpack(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkBuild writes the same message from its values.
func BenchmarkBuild(b *testing.B) {
	for _, d := range dialects() {
		values := make([][]byte, len(d.sale))
		for i, f := range d.sale {
			values[i] = []byte(f.text)
		}
		b.Run("dialect="+d.name+"/codec=tapswitch", func(b *testing.B) {
			b.ReportAllocs()
			var build iso8583.Builder
			out := make([]byte, 0, 1024)
			for b.Loop() {
				build.Reset(d.layout, 0x0200)
				for i, f := range d.sale {
					build.SetText(f.n, values[i])
				}
				if _, err := build.Append(out); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("dialect="+d.name+"/codec=moov", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m := moov.NewMessage(d.spec)
				m.MTI("0200")
				for i, f := range d.sale {
					if err := m.BinaryField(f.n, values[i]); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := m.Pack(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
