# shellcheck shell=bash
# Ways to spoil what lbd has pinned; _init.sh is there before. A map is named by its pin.

# Without the entries of arrays that hold nothing.
entries() { # MAP
    local type
    type=$(bpftool -j map show pinned "$PIN/map/$1" | jq -r .type)
    bpftool -j map dump pinned "$PIN/map/$1" |
        jq -c --arg type "$type" '.[] | {key, value} |
            select($type != "array" or (.value | any(.[]; . != "0x00")))'
}

# All of a map in an order that does not change, for comparing.
image() { # MAP
    entries "$1" | sort
}

key_words() { # ENTRY
    jq -r '.key | join(" ")' <<<"$1"
}

delete_entries() { # MAP
    local entry key
    entries "$1" | while read -r entry; do
        read -ra key < <(key_words "$entry")
        bpftool map delete pinned "$PIN/map/$1" key "${key[@]}" || return
    done
}

# Every byte of the values that says something becomes BYTE.
overwrite_entries() { # MAP BYTE
    local entry key value
    entries "$1" | while read -r entry; do
        read -ra key < <(key_words "$entry")
        read -ra value < <(jq -r --arg byte "$2" '.value |
            map(if . == "0x00" then . else $byte end) | join(" ")' <<<"$entry")
        bpftool map update pinned "$PIN/map/$1" key "${key[@]}" value "${value[@]}" || return
    done
}

detach_link() { # INTERFACE
    bpftool link detach pinned "$PIN/link/$1"
}

repaired() { # KIND, so far
    lbctl -o json status | jq ".repairs.$1"
}
