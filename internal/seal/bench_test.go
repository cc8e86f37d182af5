package seal

import (
	"strconv"
	"testing"
)

func BenchmarkRecord(b *testing.B) {
	e := testEpochs(b, 1, 1)
	for _, size := range []int{256, 1 << 10, 256 << 10} {
		text := make([]byte, size)
		rec, err := e.SealRecord(nil, Header{}, DomainID{}, text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("Seal/"+strconv.Itoa(size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			dst := make([]byte, 0, len(rec))
			for b.Loop() {
				dst, _ = e.SealRecord(dst[:0], Header{}, DomainID{}, text)
			}
		})
		b.Run("Open/"+strconv.Itoa(size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			dst := make([]byte, 0, len(rec))
			for b.Loop() {
				dst, _ = e.OpenRecord(dst[:0], rec, DomainID{})
			}
		})
	}
}

func BenchmarkBox(b *testing.B) {
	e := testEpochs(b, 1, 1)
	aad, text := make([]byte, 20), make([]byte, 100)
	box, err := e.SealBox(nil, aad, text)
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, len(box))
	b.Run("Seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst, _ = e.SealBox(dst[:0], aad, text)
		}
	})
	open := func(b *testing.B, e *Epochs) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			dst := make([]byte, 0, len(box))
			for p.Next() {
				dst, _ = e.OpenBox(dst[:0], aad, box)
			}
		})
	}
	b.Run("Open", func(b *testing.B) { open(b, e) })
	b.Run("OpenOlder", func(b *testing.B) { open(b, testEpochs(b, 1, 2)) })
}

func BenchmarkKeys(b *testing.B) {
	secret := testSecret(1)
	b.Run("MAC", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := MAC(secret, "label", "111122223333", "us-east-1"); err != nil {
				b.Fatal(err)
			}
		}
	})
	k, err := NewMACKey(secret, "label")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("MACKey", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k.Sum("111122223333", "us-east-1")
		}
	})
	b.Run("Decrypt", func(b *testing.B) {
		ct, err := Encrypt(secret, KeyRef{}, nil, make([]byte, 32))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Decrypt(secret, nil, ct); err != nil {
				b.Fatal(err)
			}
		}
	})
}
