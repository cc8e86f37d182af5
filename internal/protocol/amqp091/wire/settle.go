package wire

// AppendAck appends a basic.ack frame. From a server it confirms a publish,
// from a client it settles a delivery; multiple covers every tag up to tag.
func AppendAck(dst []byte, channel uint16, tag uint64, multiple bool) []byte {
	dst = appendSettle(dst, channel, IDBasicAck, tag)
	return append(dst, bit(multiple, 0), FrameEnd)
}

// AppendNack appends a basic.nack frame, in either direction.
func AppendNack(dst []byte, channel uint16, tag uint64, multiple, requeue bool) []byte {
	dst = appendSettle(dst, channel, IDBasicNack, tag)
	return append(dst, bit(multiple, 0)|bit(requeue, 1), FrameEnd)
}

// AppendReject appends a basic.reject frame.
func AppendReject(dst []byte, channel uint16, tag uint64, requeue bool) []byte {
	dst = appendSettle(dst, channel, IDBasicReject, tag)
	return append(dst, bit(requeue, 0), FrameEnd)
}

// appendSettle appends all but the octet of bits and the end.
func appendSettle(dst []byte, channel uint16, id MethodID, tag uint64) []byte {
	dst = appendFrameHead(dst, FrameMethod, channel, methodHead+8+1)
	return appendLonglong(appendLong(dst, uint32(id)), tag)
}
