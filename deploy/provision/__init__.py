"""Identity for servers, brokers and bedside nodes."""
