// Package inferencepb has the messages of the Open Inference Protocol V2 and its service over gRPC, generated from
// inference.proto.
package inferencepb

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative inference.proto
