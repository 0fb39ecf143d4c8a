package telemetry

import (
	"io"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// A parquetRow is an exported value in Apache Parquet. One of number, bool and text is set.
type parquetRow struct {
	Time    time.Time `parquet:"time,timestamp(millisecond),delta"`
	Series  string    `parquet:"series,dict"`
	Unit    string    `parquet:"unit,dict"`
	Number  *float64  `parquet:"number,optional"`
	Bool    *bool     `parquet:"bool,optional"`
	Text    *string   `parquet:"text,optional,dict"`
	Quality string    `parquet:"quality,dict"`
}

// parquetRowGroup is how many rows are in memory until they are written.
const parquetRowGroup = 100_000

// parquetRows writes Apache Parquet. end writes what is left, and the footer without which it is no file.
func parquetRows(w io.Writer) (write func(exported) error, end func() error) {
	p := parquet.NewGenericWriter[parquetRow](w, parquet.Compression(&zstd.Codec{}),
		parquet.MaxRowsPerRowGroup(parquetRowGroup), parquet.CreatedBy("unhidra", "", ""))
	write = func(line exported) error {
		row := parquetRow{Time: line.Time, Series: line.Series, Unit: line.Unit, Quality: line.Quality}
		switch v := line.Value.(type) {
		case float64:
			row.Number = &v
		case bool:
			row.Bool = &v
		case string:
			row.Text = &v
		}
		_, err := p.Write([]parquetRow{row})
		return err
	}
	return write, p.Close
}
