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

# At once, so that what is put right meanwhile is not spoilt again.
delete_entries() { # MAP
    "$HERE/spoil.py" delete "$PIN/map/$1"
}

# Every byte of the values that says something becomes BYTE.
overwrite_entries() { # MAP BYTE
    "$HERE/spoil.py" overwrite "$PIN/map/$1" "$2"
}

detach_link() { # INTERFACE
    bpftool link detach pinned "$PIN/link/$1"
}

repaired() { # KIND, so far
    lbctl -o json status | jq ".repairs.$1"
}
