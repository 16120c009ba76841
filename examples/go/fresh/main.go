// Command fresh reads prices and takes its time between them; each that it reads was sent when it was ready for it.
//
//	go run ./fresh localhost:50051 3s                      # after the code in gen/ was generated, see ../main.go
//
// SubscribePrice would have gRPC keep what comes meanwhile, hundreds of prices, and hand them over one by one. ReadStream
// sends the next response when the one before was acknowledged; what changed until then is in it.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	pb "opensqt.example/client/gen/opensqt/market_maker/v1"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	pause := must(time.ParseDuration(os.Args[2]))
	connection := must(grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials())))
	gateway := pb.NewGatewayServiceClient(connection)
	for { // a program that was stopped for more than 15 s has lost its connection
		log.Println("subscribe again:", read(gateway, pause))
		time.Sleep(time.Second)
	}
}

// read prints prices until the stream ends.
func read(gateway pb.GatewayServiceClient, pause time.Duration) error {
	stream, err := gateway.ReadStream(context.Background())
	if err != nil {
		return err
	}
	wanted := &pb.ReadStreamRequest_Price{Price: &pb.SubscribePriceRequest{Symbol: "BTCUSDT"}}
	request := &pb.ReadStreamRequest{Content: wanted}
	for read := uint64(1); ; read++ {
		ready := time.Now().UnixNano()
		_ = stream.Send(request) // where it fails, Recv says why
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		batch := response.GetPrice()
		newest := batch.Updates[len(batch.Updates)-1]
		// On one machine, or with clocks that agree: how long after the program was ready the response was sent.
		fmt.Println("price", newest.Bid, newest.Ask, "sequence", batch.Position.Sequence, "sent", response.SentNs,
			"after", time.Duration(response.SentNs-ready))
		time.Sleep(pause)
		// Sent only when the program is ready for the next: whatever is sent earlier is older when it is read.
		done := &pb.Acknowledgement{Received: read, Read: read}
		request = &pb.ReadStreamRequest{Content: &pb.ReadStreamRequest_Acknowledgement{Acknowledgement: done}}
	}
}

// must ends the program when a call failed.
func must[T any](answer T, err error) T {
	if err != nil {
		log.Fatalln(err)
	}
	return answer
}
