package wire_test

import (
	"strconv"
	"strings"
	"testing"

	"coffer/internal/aws/api/sqs"
	"coffer/internal/aws/wire"
)

// BenchmarkEncode renders an answer of ten messages of 1 KiB.
func BenchmarkEncode(b *testing.B) {
	codec, err := wire.Compile(&sqs.API)
	if err != nil {
		b.Fatal(err)
	}
	out := &sqs.ReceiveMessageOutput{}
	for range 10 {
		out.Messages = append(out.Messages, sqs.Message{
			MessageId: strings.Repeat("i", 36), ReceiptHandle: strings.Repeat("h", 100),
			Body: strings.Repeat("b", 1<<10), MD5OfBody: strings.Repeat("0", 32),
		})
	}
	for i := range sqs.API.Ops {
		op := &sqs.API.Ops[i]
		if op.Name != "ReceiveMessage" {
			continue
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := codec.Encode(op, out, "id"); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkDecode reads a request with ten messages of 1 KiB.
func BenchmarkDecode(b *testing.B) {
	codec, err := wire.Compile(&sqs.API)
	if err != nil {
		b.Fatal(err)
	}
	in := &sqs.SendMessageBatchInput{QueueUrl: "https://localhost:4566/111122223333/orders"}
	for i := range 10 {
		in.Entries = append(in.Entries, sqs.SendMessageBatchRequestEntry{
			Id: strconv.Itoa(i), MessageBody: strings.Repeat("b", 1<<10),
		})
	}
	op, _ := sqs.API.Op("SendMessageBatch")
	r, err := codec.EncodeRequest(op, in)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := codec.Decode(op, r, op.In()); err != nil {
			b.Fatal(err)
		}
	}
}
