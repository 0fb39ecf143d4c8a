package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/unhidra/unhidra/internal/domain"
)

// bare is a table with the columns and indexes of the log, and nothing beside it:
// what the database itself allows. Rows go into it by the cheapest way that each
// database has: a prepared statement on SQLite, one statement for the whole lot,
// which is its own transaction, on PostgreSQL.
type bare struct {
	db     *sql.DB
	batch  func(ctx context.Context, from, rows int) error
	insert *sql.Stmt
	room   string
	text   string
	at     int64
	next   int
}

func openBare(ctx context.Context, driver, dsn, room, text string) *bare {
	identity := "pos BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
	if driver == "sqlite" {
		dsn = "file:" + dsn + "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
		identity = "pos INTEGER PRIMARY KEY"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	for _, query := range []string{
		`DROP TABLE IF EXISTS bare`,
		`CREATE TABLE bare (` + identity + `, room TEXT, seq BIGINT, type TEXT, actor TEXT, at BIGINT, key TEXT, text TEXT,
			mentions TEXT, target BIGINT, edits BIGINT DEFAULT 0, deleted_at BIGINT DEFAULT 0, UNIQUE (room, seq))`,
		`CREATE UNIQUE INDEX bare_key ON bare (actor, key) WHERE key IS NOT NULL`,
		`CREATE INDEX bare_timeline ON bare (room, seq) WHERE target IS NULL`,
		`CREATE INDEX bare_time ON bare (room, at) WHERE target IS NULL`,
	} {
		if _, err := db.ExecContext(ctx, query); err != nil {
			log.Fatal(err)
		}
	}
	b := &bare{db: db, room: room, text: text, at: time.Now().UnixMilli()}
	b.batch = b.byArrays
	if driver == "sqlite" {
		b.batch = b.rowByRow
		if b.insert, err = db.PrepareContext(ctx,
			`INSERT INTO bare (room, seq, type, actor, at, key, text, mentions)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`); err != nil {
			log.Fatal(err)
		}
	}
	return b
}

// rate inserts n rows in lots that feed asks for. It returns how many a second,
// and the processor time of each in microseconds.
func (b *bare) rate(
	ctx context.Context, n int, server *sql.DB, feed func(commit func(rows int)),
) (perSecond, cpu float64) {
	begin, before := time.Now(), used(ctx, server)
	feed(func(rows int) {
		if err := b.batch(ctx, b.next, rows); err != nil {
			log.Fatal(err)
		}
		b.next += rows
	})
	perSecond = float64(n) / time.Since(begin).Seconds()
	return perSecond, perMessage(used(ctx, server)-before, n)
}

func (b *bare) rowByRow(ctx context.Context, from, rows int) error {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	insert := tx.StmtContext(ctx, b.insert)
	for i := from; i < from+rows; i++ {
		if _, err := insert.ExecContext(ctx, b.room, i, domain.MessageCreated, user(i%users), b.at, fmt.Sprint("k", i),
			b.text, ""); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (b *bare) byArrays(ctx context.Context, from, rows int) error {
	seqs, actors, keys, texts := make([]int64, rows), make([]string, rows), make([]string, rows), make([]string, rows)
	for i := range rows {
		seqs[i], actors[i], keys[i], texts[i] = int64(from+i), user((from+i)%users), fmt.Sprint("k", from+i), b.text
	}
	conn, err := b.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return conn.Raw(func(c any) error {
		_, err := c.(*stdlib.Conn).Conn().Exec(ctx, `INSERT INTO bare (room, seq, type, actor, at, key, text, mentions)
			SELECT $1, seq, 'message.created', actor, $2, key, text, ''
			FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[]) v (seq, actor, key, text)`,
			b.room, b.at, seqs, actors, keys, texts)
		return err
	})
}

// closedLoop has senders who each wait for their row's commit before they ask
// for the next, and commits what is waiting, together.
func closedLoop(n, senders int, commit func(rows int)) {
	waiting := make(chan chan struct{}, senders)
	for range senders {
		go func() {
			done := make(chan struct{}, 1)
			for range n / senders {
				waiting <- done
				<-done
			}
		}()
	}
	for sent := 0; sent < n/senders*senders; {
		lot := []chan struct{}{<-waiting}
		for range len(waiting) {
			lot = append(lot, <-waiting)
		}
		commit(len(lot))
		for _, done := range lot {
			done <- struct{}{}
		}
		sent += len(lot)
	}
}
