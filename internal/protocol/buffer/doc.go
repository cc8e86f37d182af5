// Package buffer holds the octets of one connection between its socket and the two
// goroutines that serve it: [Input] what was read and not yet parsed, [Output] what
// waits to be written. All protocols of frames over a stream share it.
//
// Guarantees: what is read is bounded by the largest frame, what waits to be written by
// about a MiB and one frame; memory that an idle connection does not need is given back.
// It knows nothing of what a frame is.
package buffer
