"""What kvm-host and make-initramfs share. Only Python's own library is used."""
