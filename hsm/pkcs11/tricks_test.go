// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"
	"time"
	"unsafe"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
)

// TestDriverRefusesAnotherTypeOrUsage: a stored key that says another usage or algorithm
// than it was bound with is refused before the module unwraps anything.
func TestDriverRefusesAnotherTypeOrUsage(t *testing.T) {
	m := module(t)
	good, err := m.Generate(t.Context(), hsm.Spec{Name: "n", Owner: "o", Usage: hsm.ZPK, Algorithm: hsm.TDES2})
	if err != nil {
		t.Fatal(err)
	}
	opened := 0
	for _, u := range everyUsage {
		for _, a := range everyAlgorithm {
			k := good
			k.Usage, k.Algorithm = u, a
			err := m.do(t.Context(), func(w *worker) error { _, err := w.objects(&k); return err })
			switch same := u == good.Usage && a == good.Algorithm; {
			case same && err == nil:
				opened++
			case same || !errors.Is(err, hsm.ErrBinding):
				t.Errorf("as %s of %s: %v, want ErrBinding", u, a, err)
			}
		}
	}
	if opened != 1 {
		t.Errorf("the key itself opened %d times", opened)
	}
}

// TestModuleRefusesReadable: nothing that PKCS#11 offers turns a wrapped key into a
// readable one, or the local master key into one that deciphers.
func TestModuleRefusesReadable(t *testing.T) {
	cfg := fresh(t, "tricks")
	form(t, cfg, 1, 1)
	for _, c := range []Config{cfg, config()} { // formed of components, and by the module
		c.Timeout = time.Minute // all tricks are one job
		m, err := Open(world(), c)
		if err != nil {
			t.Fatal(err)
		}
		value := bytes.Clone(probeDES2)
		k, err := m.LoadClear(t.Context(), hsm.Spec{Name: "n", Owner: "o", Usage: hsm.ZPK, Algorithm: hsm.TDES2}, pin(string(value)))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.do(t.Context(), func(w *worker) error { trickUnwrap(t, w, k.Wrapped, value); trickLMK(t, w); return nil }); err != nil {
			t.Error(err)
		}
		closeIt(t, m)
	}
}

// TestModuleBindsNoUsage: what stands beside the two tests above, and why the driver
// must refuse. Who has the user PIN and a blob opens it by raw PKCS#11 under another
// type and with other rights, though never readable.
func TestModuleBindsNoUsage(t *testing.T) {
	m := module(t)
	pvk, err := m.Generate(t.Context(), hsm.Spec{Name: "n", Owner: "o", Usage: hsm.PVK, Algorithm: hsm.TDES2})
	if err != nil {
		t.Fatal(err)
	}
	err = m.do(t.Context(), func(w *worker) error {
		for _, kind := range []uint{p11.CKK_AES, p11.CKK_GENERIC_SECRET, p11.CKK_DES2} {
			object, err := opens(w, w.m.link.lmk, pvk.Wrapped, attribute(p11.CKA_KEY_TYPE, kind), attribute(p11.CKA_DECRYPT, true),
				attribute(p11.CKA_SENSITIVE, true), attribute(p11.CKA_EXTRACTABLE, false))
			if err != nil {
				t.Errorf("a PVK that deciphers, type %#x: %v; this module binds more than the documentation says", kind, err)
			}
			w.destroy(object)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLongerTemplateBindsTypeAndRights: a wrapping key whose unwrap template names
// type and rights too, and that the object cannot be changed, has the module refuse
// what TestModuleBindsNoUsage shows. The local master key has no such template:
// there would have to be one for each pair of them.
func TestLongerTemplateBindsTypeAndRights(t *testing.T) {
	m := module(t)
	kind, decrypt, fixed := attribute(p11.CKA_KEY_TYPE, p11.CKK_DES2), attribute(p11.CKA_DECRYPT, false), attribute(p11.CKA_MODIFIABLE, false)
	yes, no := attribute(p11.CKA_SENSITIVE, true), attribute(p11.CKA_EXTRACTABLE, false)
	err := m.do(t.Context(), func(w *worker) error {
		lmk, blob := narrow(t, w, []*p11.Attribute{kind, decrypt, yes, no, fixed})
		defer w.destroy(lmk)
		for name, template := range map[string][]*p11.Attribute{
			"another type": {attribute(p11.CKA_KEY_TYPE, p11.CKK_AES), decrypt, yes, no, fixed}, "deciphers": {kind, attribute(p11.CKA_DECRYPT, true), yes, no, fixed},
			"changeable": {kind, decrypt, yes, no, attribute(p11.CKA_MODIFIABLE, true)}, "right left out": {kind, yes, no, fixed}, "type alone": {kind},
		} {
			if object, err := opens(w, lmk, blob, template...); !errors.Is(err, p11.Error(p11.CKR_TEMPLATE_INCONSISTENT)) {
				t.Errorf("%s: %v, want CKR_TEMPLATE_INCONSISTENT", name, err)
				w.destroy(object)
			}
		}
		object, err := opens(w, lmk, blob, kind, decrypt, yes, no, fixed) // fixed is last: SoftHSM sets nothing behind it
		if err != nil {
			return err
		}
		defer w.destroy(object)
		right := []*p11.Attribute{attribute(p11.CKA_DECRYPT, true)}
		if err := w.m.ctx.SetAttributeValue(w.session, object, right); err == nil {
			t.Error("the right to decipher was given afterwards")
		}
		if copied, err := w.m.ctx.CopyObject(w.session, object, right); err == nil {
			t.Error("a copy was given the right to decipher")
			w.destroy(copied)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// opens unwraps a blob as a session object by raw PKCS#11.
func opens(w *worker, lmk p11.ObjectHandle, blob []byte, template ...*p11.Attribute) (p11.ObjectHandle, error) {
	all := append([]*p11.Attribute{attribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), attribute(p11.CKA_TOKEN, false)}, template...)
	return w.m.ctx.UnwrapKey(w.session, keyWrap(), lmk, blob, all)
}

// narrow makes a wrapping key whose unwrap template is exact, and a key under it.
func narrow(t *testing.T, w *worker, exact []*p11.Attribute) (lmk p11.ObjectHandle, blob []byte) {
	t.Helper()
	var pinned runtime.Pinner
	defer pinned.Unpin()
	var image []byte
	for _, a := range exact {
		value := unsafe.SliceData(a.Value)
		pinned.Pin(value)
		for _, word := range []uint64{uint64(a.Type), uint64(uintptr(unsafe.Pointer(value))), uint64(len(a.Value))} {
			image = binary.NativeEndian.AppendUint64(image, word)
		}
	}
	stays := attribute(p11.CKA_TOKEN, false)
	lmk, err := w.m.ctx.GenerateKey(w.session, []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_KEY_GEN, nil)}, []*p11.Attribute{stays,
		attribute(p11.CKA_VALUE_LEN, 32), attribute(p11.CKA_WRAP, true), attribute(p11.CKA_UNWRAP, true), attribute(p11.CKA_UNWRAP_TEMPLATE, image)})
	if err != nil {
		t.Fatal(err)
	}
	key, err := w.m.ctx.GenerateKey(w.session, []*p11.Mechanism{p11.NewMechanism(p11.CKM_DES2_KEY_GEN, nil)}, []*p11.Attribute{stays, attribute(p11.CKA_EXTRACTABLE, true)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.destroy(key)
	if blob, err = w.m.ctx.WrapKey(w.session, keyWrap(), lmk, key); err != nil {
		t.Fatal(err)
	}
	return lmk, blob
}

// attribute is one of a template.
func attribute(kind uint, value any) *p11.Attribute { return p11.NewAttribute(kind, value) }

// trickUnwrap unwraps the blob of a known key under every template and type that
// could loosen it; what comes out must not be readable in any way.
func trickUnwrap(t *testing.T, w *worker, blob, value []byte) {
	yes, no := attribute(p11.CKA_SENSITIVE, true), attribute(p11.CKA_EXTRACTABLE, false)
	tricks := map[string][]*p11.Attribute{
		"as it should be": {yes, no},
		"readable":        {attribute(p11.CKA_SENSITIVE, false), no},
		"extractable":     {yes, attribute(p11.CKA_EXTRACTABLE, true)},
		"left out":        {},
		"twice":           {yes, no, attribute(p11.CKA_SENSITIVE, false), attribute(p11.CKA_EXTRACTABLE, true)},
		"twice, before":   {attribute(p11.CKA_SENSITIVE, false), attribute(p11.CKA_EXTRACTABLE, true), yes, no},
		"empty":           {attribute(p11.CKA_SENSITIVE, []byte{}), no},
		"two is true too": {attribute(p11.CKA_SENSITIVE, []byte{2}), no},
		"value given":     {yes, no, attribute(p11.CKA_VALUE, make([]byte, 16))},
		"wraps others":    {yes, no, attribute(p11.CKA_WRAP, true), attribute(p11.CKA_UNWRAP, true)},
		"deriving":        {yes, no, attribute(p11.CKA_DERIVE, true)},
		"on the token":    {yes, no, attribute(p11.CKA_TOKEN, true)},
		"public":          {yes, no, attribute(p11.CKA_PRIVATE, false)},
		"one byte of it":  {yes, no, attribute(p11.CKA_VALUE_LEN, 1)},
		"with trusted":    {yes, no, attribute(p11.CKA_WRAP_WITH_TRUSTED, false), attribute(p11.CKA_TRUSTED, true)},
		"never sensitive": {yes, no, attribute(p11.CKA_ALWAYS_SENSITIVE, false), attribute(p11.CKA_NEVER_EXTRACTABLE, false)},
	}
	for name, extra := range tricks {
		for _, kind := range []uint{p11.CKK_DES2, p11.CKK_DES, p11.CKK_DES3, p11.CKK_AES, p11.CKK_GENERIC_SECRET, p11.CKK_SHA256_HMAC} {
			template := append([]*p11.Attribute{attribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), attribute(p11.CKA_KEY_TYPE, kind), attribute(p11.CKA_ENCRYPT, true)}, extra...)
			object, err := w.m.ctx.UnwrapKey(w.session, keyWrap(), w.m.link.lmk, blob, template)
			if err == nil {
				trickObject(t, w, name, object, value)
				w.destroy(object)
			}
			if name == "as it should be" && kind == p11.CKK_DES2 && err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for name, mechanism := range map[string]*p11.Mechanism{
		"key wrap with padding": p11.NewMechanism(p11.CKM_AES_KEY_WRAP_PAD, nil), "CBC": p11.NewMechanism(p11.CKM_AES_CBC, make([]byte, 16)),
		"CBC with padding": p11.NewMechanism(p11.CKM_AES_CBC_PAD, make([]byte, 16)), "ECB": p11.NewMechanism(p11.CKM_AES_ECB, nil),
	} {
		template := []*p11.Attribute{attribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), attribute(p11.CKA_KEY_TYPE, p11.CKK_GENERIC_SECRET), yes, no}
		if object, err := w.m.ctx.UnwrapKey(w.session, []*p11.Mechanism{mechanism}, w.m.link.lmk, blob, template); err == nil {
			trickObject(t, w, name, object, value)
			w.destroy(object)
		}
	}
	for _, class := range []uint{p11.CKO_DATA, p11.CKO_PRIVATE_KEY, p11.CKO_CERTIFICATE} {
		if _, err := w.m.ctx.UnwrapKey(w.session, keyWrap(), w.m.link.lmk, blob, []*p11.Attribute{attribute(p11.CKA_CLASS, class), yes, no}); err == nil {
			t.Errorf("unwrapped as an object of class %d", class)
		}
	}
}

// trickObject tries to read an unwrapped key by all the ways that are left.
func trickObject(t *testing.T, w *worker, name string, object p11.ObjectHandle, value []byte) {
	ctx, s := w.m.ctx, w.session
	read := func(way string, o p11.ObjectHandle) {
		if got, err := ctx.GetAttributeValue(s, o, []*p11.Attribute{attribute(p11.CKA_VALUE, nil)}); err == nil && len(got) == 1 && len(got[0].Value) != 0 {
			t.Errorf("%s, %s: the value is readable (the right one: %v)", name, way, bytes.Equal(got[0].Value, value))
		}
		if _, err := ctx.WrapKey(s, keyWrap(), w.m.link.lmk, o); err == nil {
			t.Errorf("%s, %s: it can be wrapped again", name, way)
		}
	}
	read("as it is", object)
	for way, change := range map[string]*p11.Attribute{
		"not sensitive": attribute(p11.CKA_SENSITIVE, false), "extractable": attribute(p11.CKA_EXTRACTABLE, true), "trusted": attribute(p11.CKA_TRUSTED, true),
	} {
		if err := ctx.SetAttributeValue(s, object, []*p11.Attribute{change}); err == nil {
			read("set "+way, object)
		}
		if copied, err := ctx.CopyObject(s, object, []*p11.Attribute{change}); err == nil {
			read("copied "+way, copied)
			w.destroy(copied)
		}
	}
	// its right half, known, as all that makes up a weaker key
	for _, mechanism := range []uint{p11.CKM_XOR_BASE_AND_DATA, p11.CKM_EXTRACT_KEY_FROM_KEY, p11.CKM_CONCATENATE_BASE_AND_DATA} {
		m := []*p11.Mechanism{p11.NewMechanism(mechanism, make([]byte, 16))}
		out, err := ctx.DeriveKey(s, m, object, []*p11.Attribute{attribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), attribute(p11.CKA_KEY_TYPE, p11.CKK_GENERIC_SECRET),
			attribute(p11.CKA_SENSITIVE, false), attribute(p11.CKA_EXTRACTABLE, true)})
		if err == nil {
			read("derived", out)
			w.destroy(out)
		}
	}
}

// trickLMK: a local master key cannot be given another right, by change or copy,
// nor used for anything but what it is for.
func trickLMK(t *testing.T, w *worker) {
	ctx, s := w.m.ctx, w.session
	for what, object := range map[string]p11.ObjectHandle{"wrapping key": w.m.link.lmk, "binding key": w.m.link.binding} {
		for name, change := range map[string]*p11.Attribute{
			"decipher": attribute(p11.CKA_DECRYPT, true), "encipher": attribute(p11.CKA_ENCRYPT, true), "sensitive": attribute(p11.CKA_SENSITIVE, false),
			"extractable": attribute(p11.CKA_EXTRACTABLE, true), "derive": attribute(p11.CKA_DERIVE, true), "unwrap": attribute(p11.CKA_UNWRAP, true),
			"modifiable": attribute(p11.CKA_MODIFIABLE, true), "copyable": attribute(ckaCopyable, true), "label": attribute(p11.CKA_LABEL, "x"),
			"template": attribute(p11.CKA_UNWRAP_TEMPLATE, []byte{}),
		} {
			if err := ctx.SetAttributeValue(s, object, []*p11.Attribute{change}); err == nil {
				t.Errorf("%s: %s was changed", what, name)
			}
			if copied, err := ctx.CopyObject(s, object, []*p11.Attribute{change, attribute(p11.CKA_TOKEN, false)}); err == nil {
				t.Errorf("%s: was copied with another %s", what, name)
				w.destroy(copied)
			}
		}
		if got, err := ctx.GetAttributeValue(s, object, []*p11.Attribute{attribute(p11.CKA_VALUE, nil)}); err == nil && len(got[0].Value) != 0 {
			t.Errorf("%s: readable", what)
		}
		for _, init := range []func([]*p11.Mechanism) error{
			func(m []*p11.Mechanism) error { return ctx.DecryptInit(s, m, object) },
			func(m []*p11.Mechanism) error { return ctx.EncryptInit(s, m, object) },
		} {
			for _, mechanism := range []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_ECB, nil), p11.NewMechanism(p11.CKM_AES_CBC, make([]byte, 16))} {
				if err := init([]*p11.Mechanism{mechanism}); !errors.Is(err, p11.Error(p11.CKR_KEY_FUNCTION_NOT_PERMITTED)) {
					t.Errorf("%s: cipher: %v, want CKR_KEY_FUNCTION_NOT_PERMITTED", what, err)
				}
			}
		}
	}
	if err := ctx.SignInit(s, []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_CMAC, nil)}, w.m.link.lmk); err == nil {
		t.Error("the wrapping key signs")
	}
}
