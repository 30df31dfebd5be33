"""Messages of Huawei Cloud Simple Message Notification (SMN): format, signature, certificate."""
