// Command cluster is a real Kubernetes control plane for tests in one program: etcd, kube-apiserver,
// kube-scheduler and kube-controller-manager as upstream builds them, kubectl, and simulated kubelets.
// README.md says how pods and nodes are driven.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

const usage = `Usage: cluster up --folder FOLDER [--fleet FILE] [--until-stdin-closes] [--remove-folder]
                  [--apiserver-flag FLAG]…
       cluster kubelets --kubeconfig FILE [--fleet FILE] [--remove-nodes]
       cluster kubectl ARGUMENT…
       cluster etcd|apiserver|scheduler|controller-manager FLAG…   (what up starts)
`

func main() {
	if filepath.Base(os.Args[0]) == "kubectl" {
		runKubectl()
	}
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	command, arguments := os.Args[1], os.Args[2:]
	// Upstream's commands read their flags from here.
	os.Args = append([]string{command}, arguments...)
	switch command {
	case "apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "scheduler":
		os.Exit(cli.Run(scheduler.NewSchedulerCommand()))
	case "controller-manager":
		os.Exit(cli.Run(controllermanager.NewControllerManagerCommand()))
	case "kubectl":
		runKubectl()
	case "etcd":
		exit(runEtcd(arguments))
	case "up":
		exit(runUp(arguments))
	case "kubelets":
		exit(runKubelets(arguments))
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
}

// runKubectl is upstream's kubectl, under this program's command or through a link of that name.
func runKubectl() {
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
	os.Exit(0)
}

// exit ends the program with one line for an error.
func exit(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "cluster: %v\n", err)
		os.Exit(1)
	}
	os.Exit(0)
}
