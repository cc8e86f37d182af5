package bench

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"time"

	"coffer/internal/bench"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/seal"
	"coffer/internal/tlsx"
)

// messages of one measurement, over all pairs. Larger benchtimes repeat it.
const messages = 80_000

// A part is what a message cannot do without, in microseconds of processor time.
type part struct {
	name   string
	micros float64
}

// sum is what all parts take together.
func sum(parts []part) (micros float64) {
	for _, p := range parts {
		micros += p.micros
	}
	return micros
}

// frames is what a message of AMQP adds to its body on the wire, about, in octets.
const frames = 70

// budget measures the parts one by one, each alone on the machine, for messages of
// bodySize. The generator's, with its ends of TLS, is what it took beside a broker.
func budget(ctx context.Context, dir string, generator float64) ([]part, error) {
	body := make([]byte, bodySize)
	rand.Read(body) // it never fails
	legs, err := costOfTLS()
	if err != nil {
		return nil, err
	}
	sealed, opened, err := costOfSealing(body)
	if err != nil {
		return nil, err
	}
	codec, err := costOfCodec(body)
	if err != nil {
		return nil, err
	}
	r, err := openRaw(ctx, dir, body)
	if err != nil {
		return nil, err
	}
	defer r.engine.Close()
	if err := r.run(messages); err != nil { // warm
		return nil, err
	}
	used := cpuUsed()
	if err := r.run(messages); err != nil {
		return nil, err
	}
	return []part{
		{"TLS, the broker's ends of two legs", legs}, {"seal", sealed}, {"open", opened},
		{"store", used(messages)}, {"codec, both ways", codec},
		{"generator, with its ends of TLS", generator},
	}, nil
}

// costOf repeats fn until its time can be told, and gives that of one call.
func costOf(fn func() error) (micros float64, err error) {
	const enough = 200 * time.Millisecond
	used, n, begin := cpuUsed(), 0, bench.CPU()
	for bench.CPU()-begin < enough {
		for range 100 {
			if err := fn(); err != nil {
				return 0, err
			}
			n++
		}
	}
	return used(float64(n)), nil
}

// costOfSealing measures one record of each way.
func costOfSealing(body []byte) (sealed, opened float64, err error) {
	secret := make([]byte, seal.KeySize)
	rand.Read(secret)
	e, err := seal.NewEpochs(secret, "bench", 1)
	if err != nil {
		return 0, 0, err
	}
	record, text := make([]byte, 0, 2*len(body)), make([]byte, 0, 2*len(body))
	sealed, err = costOf(func() (err error) {
		record, err = e.SealRecord(record[:0], seal.Header{}, seal.DomainID{}, body)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	opened, err = costOf(func() (err error) {
		text, err = e.OpenRecord(text[:0], record, seal.DomainID{})
		return err
	})
	return sealed, opened, err
}

// costOfCodec measures the parse of a publish and the frames of a delivery.
func costOfCodec(body []byte) (float64, error) {
	p := wire.Properties{Flags: wire.FlagDeliveryMode, DeliveryMode: 2}
	header, err := wire.AppendContentHeader(nil, uint64(len(body)), &p)
	if err != nil {
		return 0, err
	}
	in, err := wire.AppendPublish(nil, channel, &wire.BasicPublish{RoutingKey: []byte("queue")},
		header, body, wire.DefaultFrameMax)
	if err != nil {
		return 0, err
	}
	var dec wire.Decoder
	out := make([]byte, 0, 2*len(in))
	return costOf(func() error {
		for rest := in; len(rest) > 0; {
			f, size, err := wire.ParseFrame(rest, wire.DefaultFrameMax)
			if err == nil && f.Type == wire.FrameMethod {
				_, err = dec.Method(f.Payload)
			}
			if err != nil {
				return err
			}
			rest = rest[size:]
		}
		m := wire.BasicDeliver{ConsumerTag: []byte("0"), RoutingKey: []byte("queue")}
		var err error
		out, err = wire.AppendDeliver(out[:0], channel, &m, header, body, wire.DefaultFrameMax)
		return err
	})
}

// costOfTLS measures one leg, whose two ends are what a broker does of two: it receives
// a message and sends it.
func costOfTLS() (float64, error) {
	ca, err := tlsx.NewCA(time.Now())
	if err != nil {
		return 0, err
	}
	leaves, err := tlsx.NewLeaves(ca, tlsx.LeavesConfig{})
	if err != nil {
		return 0, err
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", tlsx.Modern.Server(leaves.Certificate))
	if err != nil {
		return 0, err
	}
	defer l.Close()
	received := make(chan error, 1)
	const chunk, n = 64 << 10, 4000
	go func() {
		conn, err := l.Accept()
		if err == nil {
			defer conn.Close()
			err = receive(conn, chunk*(n+1))
		}
		received <- err
	}()
	conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{
		RootCAs: ca.Pool(), MinVersion: tls.VersionTLS13, DynamicRecordSizingDisabled: true,
	})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	buf := make([]byte, chunk)
	if _, err := conn.Write(buf); err != nil { // with the handshake
		return 0, err
	}
	used := cpuUsed()
	for range n {
		if _, err := conn.Write(buf); err != nil {
			return 0, err
		}
	}
	if err := <-received; err != nil {
		return 0, err
	}
	return used(chunk * n / (bodySize + frames)), nil
}

// receive reads n octets in pieces as a broker does.
func receive(conn net.Conn, n int) error {
	buf := make([]byte, 256<<10)
	for n > 0 {
		got, err := conn.Read(buf)
		if n -= got; err == io.EOF && n > 0 || err != nil && err != io.EOF {
			return fmt.Errorf("%d octets are missing: %w", n, err)
		}
	}
	return nil
}

// cpuUsed begins to count; the result gives microseconds of processor time per
// message.
func cpuUsed() func(n float64) float64 {
	begin := bench.CPU()
	return func(n float64) float64 {
		return float64((bench.CPU() - begin).Nanoseconds()) / 1000 / n
	}
}
