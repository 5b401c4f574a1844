/** Where a registry's API is. Docker Hub's is not under the name that its images carry. */
export function apiUrlOf(host: string): URL {
  const url = new URL(`https://${host === 'docker.io' ? 'registry-1.docker.io' : host}/`);
  // Docker and containerd, too, speak plain HTTP to a loopback address, save on the port of HTTPS.
  if (isLoopback(url.hostname) && !host.endsWith(':443')) url.protocol = 'http:';
  return url;
}

/** Whether a URL's host name is this machine by its spelling alone: `localhost`, 127.0.0.0/8 or `::1`. */
function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** Whether a URL may be called at all: HTTPS anywhere, plain HTTP on the loopback address only. */
export function isSafeUrl(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}
