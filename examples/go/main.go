// Command client places an order through a connector and streams prices.
//
//	exchange-connector --exchange binance --simulated      # in one terminal: no key, no network, no money
//	go run . localhost:50051                               # in another, after the code in gen/ was generated
//
// docs/client.md says how to generate it. With TLS and a token: credentials.NewTLS, and metadata `authorization`.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"math/big"
	"os"
	"time"

	pb "opensqt.example/client/gen/opensqt/market_maker/v1"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func main() {
	connection := must(grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials())))
	exchange := pb.NewExchangeServiceClient(connection)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "x-client-name", "go-client")

	prices := must(exchange.SubscribePrice(ctx, &pb.SubscribePriceRequest{Symbol: "BTCUSDT"}))
	first := must(prices.Recv()).Updates[0]
	bid, _ := new(big.Rat).SetString(first.Bid) // a decimal string, never a float
	limit := new(big.Rat).Mul(bid, big.NewRat(97, 100)).FloatString(1)
	order := &pb.OrderRequest{
		ClientOrderId: "go" + rand.Text(), // one id for one intent: after a lost answer send the very same request again
		Symbol:        "BTCUSDT", Side: pb.Side_SIDE_BUY, OrderType: pb.OrderType_ORDER_TYPE_LIMIT,
		TimeInForce: pb.TimeInForce_TIME_IN_FORCE_POST_ONLY, Quantity: "0.002", Price: &limit,
	}
	placed := must(exchange.PlaceOrder(ctx, &pb.PlaceOrderRequest{Order: order})).Order
	fmt.Println("placed", placed.OrderId, placed.Status, "at", placed.GetPrice())

	for range 5 {
		batch := must(prices.Recv())
		newest := batch.Updates[len(batch.Updates)-1]
		fmt.Println("price", newest.Bid, newest.Ask, "sequence", batch.Position.Sequence)
	}
	ref := &pb.OrderRef{Symbol: order.Symbol, ClientOrderId: order.ClientOrderId}
	canceled := must(exchange.CancelOrder(ctx, &pb.CancelOrderRequest{Order: ref})).Order
	fmt.Println("canceled", canceled.OrderId, canceled.Status)
}

// must ends the program with the status code, the text and the google.rpc.ErrorInfo of a call that failed.
func must[T any](answer T, err error) T {
	if err != nil {
		log.Fatalln(status.Code(err), status.Convert(err).Message(), status.Convert(err).Details())
	}
	return answer
}
