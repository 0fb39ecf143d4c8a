// Package capacity computes what servers need for what people and devices do, by costs that
// were measured. It measures nothing itself, and knows of no machine but the one that
// docs/benchmarks.md describes.
package capacity

// A Measure is a measured figure, and the cell of a table below docs that it is from: where
// there are several figures in that cell, it is their mean.
type Measure struct {
	Value                      float64
	Unit                       string
	File, Heading, Row, Column string
}

// A Point is one measured cost on a curve.
type Point struct{ At, Cost Measure }

// Measures are all figures that the computation uses. What is not here was not measured.
type Measures struct {
	// Memory of a connection when all come at once, as they do after a restart.
	Connection, ConnectionTLS Measure
	// Share of a processor that 10,000 idle connections take.
	Idle, IdleTLS Measure
	// The most connections that a process has held.
	MostConnections Measure
	// The most memory of a process in an hour of comings and goings.
	Base Measure
	// Processor time of one delivery, with its part of the commit on SQLite, by how many
	// connected members the room has.
	Delivery []Point
	// Processor time of one message on PostgreSQL, node and database together, by messages
	// per second.
	Commit []Point
	// Messages per second that SQLite took, in 32 rooms.
	MostSQLite Measure
	// Processor time of a delivery on one node and on three, and that of NATS.
	OneNode, ThreeNodes, NATS Measure
	// Seconds until 10,000 clients were back at a killed server of two processors.
	Return Measure
	// Disk for one message that can be found by search, on SQLite.
	Message Measure
}

const (
	connectionsMeasured = 10_000 // what Idle, IdleTLS and Return are for
	coresMeasured       = 2      // of the machine
)

// Measured returns the figures.
func Measured() Measures {
	idle := func(v float64, unit, row, column string) Measure {
		return Measure{v, unit, "benchmarks.md", "Idle connections", row, column}
	}
	cluster := func(v float64, row, column string) Measure {
		return Measure{v, "µs", "benchmarks.md", "Three nodes", row, column}
	}
	return Measures{
		Connection:      idle(13.8, "kB", "Unhidra | 10,000", "kB each at once"),
		ConnectionTLS:   idle(30.7, "kB", "Unhidra, TLS | 10,000", "kB each at once"),
		Idle:            idle(3.0, "%", "Unhidra | 10,000", "idle, % of a processor"),
		IdleTLS:         idle(6.4, "%", "Unhidra, TLS | 10,000", "idle, % of a processor"),
		MostConnections: idle(19000, "connections", "Unhidra | 19,000", "connections"),
		Base:            Measure{216, "MiB", "benchmarks.md", "An hour", "resident memory, MiB", "at most"},
		Delivery: []Point{
			delivery(10, "10", 61.2), delivery(30, "30", 40.3), delivery(100, "100", 31.8),
			delivery(300, "300", 21.8), delivery(1000, "1,000", 18.2), delivery(3000, "3,000", 21.0),
			delivery(10000, "10,000", 21.2),
		},
		Commit: []Point{
			commit(1063, "PostgreSQL | 1 | 1", 896), commit(4552, "PostgreSQL | 32 | 1", 312),
			commit(9178, "PostgreSQL | 256 | 32", 176),
		},
		MostSQLite: commit(8180, "SQLite | 256 | 32", 121).At,
		OneNode:    cluster(17.9, "1", "nodes' CPU-s per million"),
		ThreeNodes: cluster(18.7, "3", "nodes' CPU-s per million"),
		NATS:       cluster(0.3, "3", "NATS"),
		Return:     Measure{10.2, "s", "benchmarks.md", "Ten thousand clients come back", "10,000", "all after"},
		Message: Measure{
			470, "B", "scaling.md", "What one thing costs", "a stored message, found by search", "measured",
		},
	}
}

func delivery(members float64, row string, µs float64) Point {
	at := Measure{members, "members", "benchmarks.md", "By members of the room", row, "members"}
	cost := at
	cost.Value, cost.Unit, cost.Column = µs, "µs", "Unhidra, µs of the processor"
	return Point{at, cost}
}

func commit(perSecond float64, row string, µs float64) Point {
	at := Measure{perSecond, "messages/s", "benchmarks.md", "Durable sends", row, "acknowledged/s"}
	cost := at
	cost.Value, cost.Unit, cost.Column = µs, "µs", "CPU µs/message"
	return Point{at, cost}
}
