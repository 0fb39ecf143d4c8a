// Package wire is what clients see: the frames of the WebSocket and the JSON
// of the REST API, which share their views of users, rooms and messages.
//
// docs/protocol.md says what each frame means; testdata/golden holds one of
// each, which the tests of the server and of the web client both read.
package wire
