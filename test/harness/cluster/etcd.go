package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// runEtcd serves a store of one member that need not survive the machine: nothing waits for the disk.
func runEtcd(arguments []string) error {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	folder := flags.String("folder", "", "where the data lies")
	clientAddress := flags.String("client", "", "HOST:PORT for the API server")
	peerAddress := flags.String("peer", "", "HOST:PORT for the members there are not")
	_ = flags.Parse(arguments)

	config := embed.NewConfig()
	client, peer := url.URL{Scheme: "http", Host: *clientAddress}, url.URL{Scheme: "http", Host: *peerAddress}
	config.Dir, config.Name, config.LogLevel, config.UnsafeNoFsync = *folder, "default", "error", true
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName("default")
	// A test that makes and removes many clusters' worth of objects passes the 2 GB that are usual.
	config.QuotaBackendBytes = 4 << 30

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return fmt.Errorf("etcd does not start: %w", err)
	}
	select {
	case <-server.Server.ReadyNotify():
	case <-time.After(60 * time.Second):
		return fmt.Errorf("etcd is not ready after 60 s")
	}
	select {
	case <-signals:
		server.Close()
		return nil
	case err := <-server.Err():
		return err
	}
}
